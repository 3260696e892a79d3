"""DeepEval's GEval: it builds the prompt, a judge of ours answers it, GEval reads the verdict.

GEval asks its judge for an integer from 0 to 10 and divides by ten, so steps
and rubric must speak of that scale: a judge told to "award 1.0 points" would
answer 1, and the sample would score 0.1.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from deepeval.metrics import GEval
from deepeval.metrics.g_eval import Rubric
from deepeval.models import DeepEvalBaseLLM
from deepeval.test_case import LLMTestCase, SingleTurnParams

from evals.judges.answers import Answer
from evals.judges.base import JudgeFailure, Judgement
from evals.judges.untrusted import as_data
from evals.metrics.base import Ask

__all__ = ["GEvalMetric", "Seen"]

Seen = Literal["input", "actual_output", "expected_output"]


@dataclass(frozen=True)
class GEvalMetric:
    """A metric that is measured by GEval, in one judge call a measurement.

    ``rubric`` has (lowest score, highest score, what it stands for), on the scale 0 to 10.
    """

    name: str
    criteria: str
    steps: tuple[str, ...]
    rubric: tuple[tuple[int, int, str], ...]
    sees: tuple[Seen, ...]
    """What of a judgement the judge gets to see."""
    threshold: float
    known: Judgement

    def geval(self, model: DeepEvalBaseLLM) -> GEval:
        """The metric as DeepEval runs it."""
        return GEval(
            name=self.name,
            criteria=self.criteria,
            evaluation_steps=list(self.steps),
            rubric=[Rubric(score_range=(low, high), expected_outcome=words) for low, high, words in self.rubric]
            or None,
            evaluation_params=[SingleTurnParams(part) for part in self.sees],
            model=model,
            threshold=self.threshold,
            _include_g_eval_suffix=False,
        )

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the whole prompt around a judgement: criteria, steps, rubric and DeepEval's own words."""
        prompt = self.prompt(Judgement("ACTUAL", "EXPECTED", "INPUT"))
        return hashlib.sha256(f"{self.name}\n{self.criteria}\n{prompt}".encode()).hexdigest()

    def prompt(self, judgement: Judgement) -> str:
        """The prompt that GEval builds for ``judgement``."""
        metric = self.geval(_Relay(_never))
        return str(metric._results_prompt(self._case(judgement), multimodal=False, _additional_context=None))

    async def measure(self, judgement: Judgement, ask: Ask) -> tuple[float, str]:
        """Score in 0..1 and reason. Raises what ``ask`` raises, or JudgeFailure if GEval itself fails."""
        raised: list[Exception] = []

        async def recorded(prompt: str) -> Answer:
            try:
                return await ask(prompt)
            except Exception as error:
                raised.append(error)
                raise

        metric = self.geval(_Relay(recorded))
        try:
            score = await metric.a_measure(self._case(judgement), _show_indicator=False)
        except Exception as error:
            # DeepEval puts its own error in the place of some that a model raises, by words in their message.
            raise raised[-1] if raised else JudgeFailure(f"GEval failed: {error}") from error
        return score, str(metric.reason)

    def _case(self, judgement: Judgement) -> LLMTestCase:
        return LLMTestCase(
            input=as_data(judgement.input),
            actual_output=as_data(judgement.actual),
            expected_output=as_data(judgement.expected),
        )


class _Relay(DeepEvalBaseLLM):
    """The model that GEval talks to: hands its prompt on, and the answer back."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        super().__init__("judge")

    def load_model(self) -> Any:
        return self

    def get_model_name(self) -> str:
        return "judge"

    def generate(self, prompt: str, schema: Any = None) -> Any:
        raise NotImplementedError("judging is asynchronous")

    async def a_generate(self, prompt: str, schema: Any = None) -> Any:
        answer = await self._ask(prompt)
        return schema(reason=answer.reason, score=answer.score)


async def _never(prompt: str) -> Answer:
    raise NotImplementedError("only the prompt is wanted")
