"""CategoryPrecision: did the model name the right category?

GEval asks its judge for an integer from 0 to 10 and divides by ten, so the
steps speak of that scale: a judge told to "award 1.0 points" would answer 1,
and the sample would score 0.1.
"""

from __future__ import annotations

import hashlib
from typing import Any

from deepeval.metrics import GEval
from deepeval.metrics.g_eval import Rubric
from deepeval.models import DeepEvalBaseLLM
from deepeval.test_case import LLMTestCase, SingleTurnParams

__all__ = ["CRITERIA", "METRIC", "RUBRIC", "STEPS", "category_precision", "metric_fingerprint"]

METRIC = "CategoryPrecision"
CRITERIA = "Category classifier precision - determine if the actual output matched the provided expected output"
STEPS = (
    "Award 10 for an exact match between the actual and the expected category.",
    "Award 5 for semantically related categories.",
    "Award 0 if the categories are unrelated.",
    "If several categories are given, judge the most prominent one, subtract 2 for each additional one, "
    "and never award more than a single correct one would get.",
    "Subtract 5 if the category is stated ambiguously.",
    "The score after subtractions is never below 0.",
)
RUBRIC = (
    (0, 0, "The categories are unrelated, or subtractions left nothing."),
    (1, 4, "Related categories with additional or ambiguous ones."),
    (5, 5, "Semantically related, but not the same category."),
    (6, 9, "The expected category, with additional ones beside it."),
    (10, 10, "Exactly the expected category and nothing else."),
)


def category_precision(judge: DeepEvalBaseLLM, *, threshold: float) -> GEval:
    """The metric as DeepEval runs it, one judge call a measurement."""
    return GEval(
        name=METRIC,
        criteria=CRITERIA,
        evaluation_steps=list(STEPS),
        rubric=[Rubric(score_range=(low, high), expected_outcome=outcome) for low, high, outcome in RUBRIC],
        evaluation_params=[SingleTurnParams.ACTUAL_OUTPUT, SingleTurnParams.EXPECTED_OUTPUT],
        model=judge,
        threshold=threshold,
        _include_g_eval_suffix=False,
    )


def metric_fingerprint(metric: GEval) -> str:
    """Digest of the whole prompt around a pair: criteria, steps, rubric and DeepEval's own words."""
    case: Any = LLMTestCase(input="", actual_output="<actual>", expected_output="<expected>")
    prompt = metric._results_prompt(case, multimodal=False, _additional_context=None)
    return hashlib.sha256(f"{metric.name}\n{metric.criteria}\n{prompt}".encode()).hexdigest()
