"""The embedded judge's rule for two answers: the one that shares more with the reference. It is no LLM.

A right answer in other words than the reference loses by this rule, and a wrong
one that repeats its words wins: good for seeing a duel, not for deciding one.
"""

from __future__ import annotations

from evals.judges.comparisons import Comparison
from evals.text_measures import token_f1

__all__ = ["prefer"]

_EQUAL = 0.05
"""Answers whose F1 differs by less are equally good."""


def prefer(comparison: Comparison) -> tuple[int, str]:
    """Score from 0 (the second is better) by 5 (equally good) to 10, and why; ValueError without a reference."""
    if comparison.reference is None:
        raise ValueError("there is no reference to share words with")
    first, second = (token_f1(answer, comparison.reference) for answer in (comparison.first, comparison.second))
    figures = f"token F1 with the reference: answer 1 {first:.2f}, answer 2 {second:.2f}"
    lead = abs(first - second)
    if lead < _EQUAL:
        return 5, f"Equally good by rule ({figures})."
    step = max(1, min(5, round(lead * 10)))
    better, score = ("1", 5 + step) if first > second else ("2", 5 - step)
    return score, f"Answer {better} is closer to the reference by rule ({figures})."
