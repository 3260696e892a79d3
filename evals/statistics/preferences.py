"""Two systems compared row by row: which one is preferred, and does the order decide?

Every row is won, lost or tied. That is the table of two models on the same
samples, with its cells won and lost in the place of gained and lost, so the
interval of the net preference is that of ``paired``. A tie counted as half a
win moves that figure to a scale of 0 to 1, and its interval with it.
"""

from __future__ import annotations

from typing import NamedTuple

from evals.statistics.paired import mcnemar_exact, mcnemar_midp, paired_difference
from evals.statistics.rates import Interval, wilson

__all__ = ["OrderEffect", "Preference", "order_effect", "preference"]


class Preference(NamedTuple):
    """How much one system is preferred to another; None where no row is decided."""

    net: float
    """Wins less losses, as a share of all rows: -1 to 1, above 0 where it is preferred."""
    net_interval: Interval
    half: float
    """Win rate with a tie as half a win: ``(1 + net) / 2``."""
    half_interval: Interval
    decided: float | None
    """Wins among the rows that are no tie."""
    decided_interval: Interval | None
    p_value: float
    """Of the sign test, mid-p: would wins and losses differ as much if neither were preferred?"""
    p_exact: float
    """Of the exact sign test, which never errs more often than it says, and so errs on the side of "no difference"."""


class OrderEffect(NamedTuple):
    """What exchanging the places of two answers did to a judge's verdicts."""

    bias: float
    """Share of rows in which the same place was preferred in both orders."""
    bias_interval: Interval
    consistency: float
    """Share of rows with the same verdict in both orders."""
    consistency_interval: Interval
    p_value: float
    """Of the sign test, mid-p: is one place preferred to the other?"""


def preference(wins: int, losses: int, ties: int, *, confidence: float) -> Preference:
    """What ``wins``, ``losses`` and ``ties`` of one system against another are worth.

    The net preference has Tango's score interval for a difference of
    correlated proportions (``paired_difference``), the share among decided rows
    Wilson's. The sign test is McNemar's: a binomial test of wins against losses
    at 1/2 (Dixon and Mood 1946, "The statistical sign test", JASA 41); ties say
    nothing in it.

    Raises ValueError for no rows, negative numbers, ``confidence`` outside
    (0, 1). Not for rows that depend on one another: count copies once.
    """
    rows = wins + losses + ties
    _refuse_negative(wins=wins, losses=losses, ties=ties)
    net = paired_difference(wins, losses, rows, confidence=confidence)
    decided = wins + losses
    return Preference(
        net=(wins - losses) / rows,
        net_interval=net,
        half=(wins + ties / 2) / rows,
        half_interval=Interval((1 + net.low) / 2, (1 + net.high) / 2),
        decided=wins / decided if decided else None,
        decided_interval=wilson(wins, decided, confidence=confidence) if decided else None,
        p_value=mcnemar_midp(wins, losses),
        p_exact=mcnemar_exact(wins, losses),
    )


def order_effect(first: int, second: int, wavering: int, consistent: int, *, confidence: float) -> OrderEffect:
    """How far verdicts followed the place of an answer, from rows that were judged in both orders.

    ``first`` and ``second`` rows had that place preferred in both orders,
    ``wavering`` ones a preference in one order only, ``consistent`` ones the same
    verdict in both. The consistency is the measure of Zheng et al. (2023),
    "Judging LLM-as-a-judge with MT-Bench and Chatbot Arena", NeurIPS. Both
    shares have Wilson's interval.

    A judge that guesses also prefers one place twice by chance, but either one
    equally often: ``p_value`` tells the two apart. Raises ValueError as ``preference``.
    """
    _refuse_negative(first=first, second=second, wavering=wavering, consistent=consistent)
    rows = first + second + wavering + consistent
    return OrderEffect(
        bias_interval=wilson(first + second, rows, confidence=confidence),
        bias=(first + second) / rows,
        consistency_interval=wilson(consistent, rows, confidence=confidence),
        consistency=consistent / rows,
        p_value=mcnemar_midp(first, second),
    )


def _refuse_negative(**counts: int) -> None:
    for name, count in counts.items():
        if count < 0:
            raise ValueError(f"numbers of rows cannot be negative: {count} {name}")
