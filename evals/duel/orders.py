"""From the verdicts in both orders to one outcome: a win counts only if it survives the swap.

A judge may prefer the first answer because it comes first (Wang et al. 2024,
"Large language models are not fair evaluators", ACL). Asked in both orders,
such a judge contradicts itself, and its two verdicts cancel out to a tie.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from evals.duel.contest import ContestRow
from evals.judges.base import Judgement
from evals.votes import PairVerdict

__all__ = ["How", "Outcome", "Place", "RowResult", "place_of", "result_of"]

Outcome = Literal["A", "B", "tie", "unscored"]
Place = Literal["first", "second", "neither"]
How = Literal["both orders", "first place", "second place", "one order only", "identical", "unscored"]
"""How an outcome came about: verdicts that agree, that followed a place, of which one only preferred an answer,
or none at all, because the answers are identical or there is no verdict."""

_HALF_A_POINT = 0.05


@dataclass(frozen=True)
class RowResult:
    """What became of a row. ``a_first`` and ``b_first`` are None where the judge was not asked."""

    row: ContestRow
    outcome: Outcome
    how: How
    a_first: PairVerdict | None
    b_first: PairVerdict | None
    error: str | None
    """Why the row is unscored."""


def place_of(score: float) -> Place:
    """The place that a score in 0..1 prefers; within half a point of the middle, neither."""
    if abs(score - 0.5) <= _HALF_A_POINT:
        return "neither"
    return "first" if score > 0.5 else "second"


def outcome_of(a_first: Place, b_first: Place) -> tuple[Outcome, How]:
    """The outcome of two verdicts, the one with A's answer in the first place and the one with B's there."""
    match a_first, b_first:
        case "first", "second":
            return "A", "both orders"
        case "second", "first":
            return "B", "both orders"
        case "neither", "neither":
            return "tie", "both orders"
        case "first", "first":
            return "tie", "first place"
        case "second", "second":
            return "tie", "second place"
    return "tie", "one order only"


def result_of(row: ContestRow, verdicts: Mapping[Judgement, PairVerdict]) -> RowResult:
    """What the verdicts make of a row; a row that was not judged in both orders is unscored, and never a tie."""
    if row.missing is not None:
        return RowResult(row, "unscored", "unscored", None, None, row.missing)
    if row.identical:
        return RowResult(row, "tie", "identical", None, None, None)
    a_first, b_first = (verdicts[judgement] for judgement in row.judgements)
    one, other = a_first.verdict, b_first.verdict
    if one.score is None or other.score is None:
        return RowResult(row, "unscored", "unscored", a_first, b_first, one.error or other.error)
    outcome, how = outcome_of(place_of(one.score), place_of(other.score))
    return RowResult(row, outcome, how, a_first, b_first, None)
