"""What every metric offers to a jury: a prompt, a way to a verdict, and what a pass is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from evals.judges.answers import Answer
from evals.judges.base import Judgement

__all__ = ["Ask", "Metric"]

Ask = Callable[[str], Awaitable[Answer]]
"""Has a prompt answered by a judge. Raises JudgeFailure, MalformedAnswer or OutOfBudget."""


class Metric(Protocol):
    """Turns a judgement into a question to a judge, and the answer into a score in 0..1."""

    @property
    def name(self) -> str:
        """The ``metric`` of its judgements."""
        ...

    @property
    def threshold(self) -> float:
        """The score from which a judgement passes. It changes no verdict."""
        ...

    @property
    def known(self) -> Judgement:
        """The preflight's question: no judge that understands the metric gives it less than 8 of 10."""
        ...

    @property
    def fingerprint(self) -> str:
        """Digest of all that the metric puts around a judgement: its part of a verdict's address."""
        ...

    def prompt(self, judgement: Judgement) -> str:
        """What a judge reads."""
        ...

    async def measure(self, judgement: Judgement, ask: Ask) -> tuple[float, str]:
        """Score in 0..1 and reason. Raises what ``ask`` raises, or JudgeFailure."""
        ...
