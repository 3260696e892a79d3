"""From outcomes to figures: who is preferred, what the places did, and what the gate makes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from evals.duel.model import CategoryResult, DuelGate, PlaceInfo, Standing, Tally
from evals.duel.orders import RowResult
from evals.duel.settings import DuelOptions
from evals.noninferiority import no_worse
from evals.statistics import holm, order_effect, preference

__all__ = ["by_category", "gate_of", "places_of", "standing_of", "tally_of"]


def tally_of(results: Sequence[RowResult]) -> Tally:
    """Rows by outcome."""
    outcomes = Counter(result.outcome for result in results)
    return Tally(
        rows=len(results),
        b_wins=outcomes["B"],
        a_wins=outcomes["A"],
        ties=outcomes["tie"],
        unscored=outcomes["unscored"],
        identical=sum(result.how == "identical" for result in results),
    )


def standing_of(b_wins: int, a_wins: int, ties: int, *, confidence: float) -> Standing | None:
    """How much B is preferred; None if there is no row."""
    if b_wins + a_wins + ties == 0:
        return None
    found = preference(b_wins, a_wins, ties, confidence=confidence)
    decided = found.decided_interval
    return Standing(
        rows=b_wins + a_wins + ties,
        b_wins=b_wins,
        a_wins=a_wins,
        ties=ties,
        net=found.net,
        net_low=found.net_interval.low,
        net_high=found.net_interval.high,
        win_rate=found.half,
        win_rate_low=found.half_interval.low,
        win_rate_high=found.half_interval.high,
        decided_rate=found.decided,
        decided_low=decided.low if decided else None,
        decided_high=decided.high if decided else None,
        p_value=found.p_value,
        p_exact=found.p_exact,
    )


def places_of(results: Sequence[RowResult], *, confidence: float) -> PlaceInfo | None:
    """What exchanging the places did; None if no row was judged in both orders."""
    how = Counter(result.how for result in results)
    first, second, one, consistent = (
        how[kind] for kind in ("first place", "second place", "one order only", "both orders")
    )
    rows = first + second + one + consistent
    if rows == 0:
        return None
    found = order_effect(first, second, one, consistent, confidence=confidence)
    return PlaceInfo(
        rows=rows,
        first_twice=first,
        second_twice=second,
        one_order_only=one,
        consistent=consistent,
        bias=found.bias,
        bias_low=found.bias_interval.low,
        bias_high=found.bias_interval.high,
        consistency=found.consistency,
        consistency_low=found.consistency_interval.low,
        consistency_high=found.consistency_interval.high,
        p_value=found.p_value,
    )


def by_category(results: Sequence[RowResult], *, confidence: float) -> list[CategoryResult]:
    """Figures of each category, in alphabetical order."""
    groups: dict[str, list[RowResult]] = {}
    for result in results:
        groups.setdefault(result.row.row.category, []).append(result)
    tallies = {name: tally_of(groups[name]) for name in sorted(groups)}
    standings = {
        name: standing_of(tally.b_wins, tally.a_wins, tally.ties, confidence=confidence)
        for name, tally in tallies.items()
    }
    p_values = {name: standing.p_value for name, standing in standings.items() if standing is not None}
    adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True)) if p_values else {}
    return [
        CategoryResult(category=name, tally=tally, standing=standings[name], p_adjusted=adjusted.get(name))
        for name, tally in tallies.items()
    ]


def gate_of(standing: Standing | None, places: PlaceInfo | None, unscored: int, options: DuelOptions) -> DuelGate:
    """Is B no worse than A by more than the margin? Too many ``unscored`` rows leave even a duel without one open.

    ``places`` are of the judge who decides; None for people.
    """
    if unscored > options.max_unscored or standing is None:
        return _gate(options, "incomplete")
    if options.margin is None:
        return _gate(options, "not evaluated")
    found = no_worse(
        standing.b_wins, standing.a_wins, standing.rows, margin=options.margin, confidence=options.confidence
    )
    outcome, way_out = found.outcome, found.way_out.replace(" samples", " rows")
    # A judge that goes by places alone makes every row a tie, and of ties alone any two models look equally good.
    # What it loses nonetheless, it lost in both orders: a fail stays one.
    if outcome == "pass" and places is not None and places.bias > options.max_position_bias:
        outcome = "inconclusive"
        way_out = (
            f"the verdict followed the place in {places.bias:.0%} of the rows, and more than "
            f"{options.max_position_bias:.0%} make ties that show nothing: ask another judge, or people"
        )
    return _gate(options, outcome).model_copy(
        update={"difference": found.difference, "low": found.low, "high": found.high, "way_out": way_out}
    )


def _gate(options: DuelOptions, outcome: str) -> DuelGate:
    return DuelGate.model_validate(
        {
            "outcome": outcome,
            "decided_by": options.decide_by,
            "margin": options.margin,
            "confidence": options.confidence,
            "difference": None,
            "low": None,
            "high": None,
            "max_unscored": options.max_unscored,
            "max_position_bias": options.max_position_bias,
            "way_out": "",
        }
    )
