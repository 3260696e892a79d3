"""A verdict as an assertion, with a message that says what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from evals.answers import Scored
from evals.verdicts import Verdict
from fixtures.contracts.files import printable

if TYPE_CHECKING:
    from deepeval.test_case import LLMTestCase

__all__ = ["JudgedMetric", "JudgedMetrics", "SampleFailed", "SampleUnscored"]

BEGINNING = 300


class SampleFailed(pytest.fail.Exception):  # type: ignore[name-defined]
    """The judge's score is below the threshold. The gate decides what that means."""


class SampleUnscored(pytest.fail.Exception):  # type: ignore[name-defined]
    """The judge gave no verdict. Raised in set-up, so that every report shows an error."""


@dataclass(frozen=True)
class JudgedMetric:
    """A metric whose verdict on one sample is known."""

    name: str
    verdict: Verdict
    threshold: float

    def __post_init__(self) -> None:
        if self.verdict.score is None:
            raise SampleUnscored(f"unscored: {self.verdict.error}", pytrace=False)

    def assert_reaches_threshold(self, case: LLMTestCase) -> None:
        """Raise SampleFailed if the score is below the threshold."""
        score = self.verdict.score
        assert score is not None
        if score < self.threshold:
            raise SampleFailed(
                f"{self.name} {score:.1f} < {self.threshold:g}: "
                f"expected {_shown(case.expected_output)}, got {_shown(case.actual_output)}\n"
                f"  reason: {_shown(self.verdict.reason)}\n"
                f"  text:   {_shown(case.input)}",
                pytrace=False,
            )


@dataclass(frozen=True)
class JudgedMetrics:
    """Several metrics whose verdicts on one answer are known."""

    scores: Sequence[Scored]

    def __post_init__(self) -> None:
        missing = [f"{scored.metric}: {error}" for scored in self.scores if (error := scored.verdict.error) is not None]
        if missing:
            raise SampleUnscored(f"unscored: {'; '.join(missing)}", pytrace=False)

    def assert_reach_thresholds(self, case: LLMTestCase) -> None:
        """Raise SampleFailed, naming every metric whose score is below its threshold."""
        low = [scored for scored in self.scores if (scored.verdict.score or 0.0) < scored.threshold]
        if low:
            raise SampleFailed(
                "; ".join(f"{scored.metric} {scored.verdict.score:.2g} < {scored.threshold:g}" for scored in low)
                + "".join(f"\n  {scored.metric}: {_shown(scored.verdict.reason)}" for scored in low)
                + f"\n  question:  {_shown(case.input)}"
                + f"\n  answer:    {_shown(case.actual_output)}"
                + f"\n  reference: {_shown(case.expected_output)}",
                pytrace=False,
            )


def _shown(text: object) -> str:
    """The beginning of a text on one line: an answer under test must not repaint the terminal."""
    return printable(" ".join(str(text)[: 2 * BEGINNING].split()))[:BEGINNING]
