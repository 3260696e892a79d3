"""The embedded judge's rule for two answers: the one that shares more with the reference. It is no LLM.

A right answer in other words than the reference loses by this rule, and a wrong
one that repeats its words wins: good for seeing a duel, not for deciding one.
"""

from __future__ import annotations

import re
from collections import Counter

from evals.judges.comparisons import Comparison

__all__ = ["prefer", "token_f1"]

# Scripts without blanks between words count by the character.
_TOKENS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
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


def token_f1(answer: str, reference: str) -> float:
    """Harmonic mean of precision and recall of ``answer``'s tokens, in any order; 1 if neither has any.

    As SQuAD's F1 (Rajpurkar et al. 2016, EMNLP), with all words
    counted, articles too.
    """
    ours, theirs = (Counter(_TOKENS.findall(text.casefold())) for text in (answer, reference))
    if not ours or not theirs:
        return float(ours == theirs)
    return 2 * (ours & theirs).total() / (ours.total() + theirs.total())
