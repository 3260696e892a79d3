"""What one news sample must satisfy.

Each drawn test document is one test. The model has already answered all of
them and the judge has already scored each distinct pair of answer and expected
category, at once, before the first test runs (see ``plugin``); here the verdict
is asserted. A judge that failed makes an error, never a failed sample.
"""

from __future__ import annotations

from deepeval.test_case import LLMTestCase

from evals.assertions import JudgedMetric


def test_category_precision(case: LLMTestCase, category_precision: JudgedMetric) -> None:
    """GEval's CategoryPrecision of the model's answer reaches ``--threshold``."""
    category_precision.assert_reaches_threshold(case)
