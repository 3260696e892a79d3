"""Which samples are worth a person's time.

A random part measures the judge: whatever holds for it holds for all, within
an interval. Beside it, and never mixed with it, samples on which something is
odd: they show how the judge errs, and say nothing about how often.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, zip_longest
from typing import Any

import numpy as np

from evals.reports.model import Report
from evals.reports.rows import SampleRow
from fixtures.contracts.errors import UserError

__all__ = ["draw", "rows_for_raters"]


def draw(report: Report, count: int, *, focus: int, seed: int) -> list[tuple[SampleRow, str]]:
    """``count`` samples at random and ``focus`` others, each with its part, in an order that tells nothing.

    The random part is drawn by id, not by what the judge said: reports on the
    same samples give the same ones, and a larger ``count`` adds to a smaller one.
    Raises UserError if there are not so many samples.
    """
    if count + focus > len(report.samples):
        raise UserError(
            f"cannot draw {count} samples and {focus} others: the report has {len(report.samples)}; "
            "lower --count or --focus"
        )
    generator = np.random.default_rng(seed)
    rows = sorted(report.samples, key=lambda row: row.id)
    shuffled = [rows[place] for place in generator.permutation(len(rows))]
    chosen = [(row, "random") for row in shuffled[:count]]
    chosen += [(row, "focus") for row in _odd(report, shuffled[count:], focus)]
    # Raters would see from the order which ones are odd.
    return [chosen[place] for place in generator.permutation(len(chosen))]


def rows_for_raters(drawn: Sequence[tuple[SampleRow, str]], *, blind: bool) -> list[dict[str, Any]]:
    """What a rater gets. The judge's verdict is not in it: people follow what they are told.

    ``blind`` leaves out the expected category as well.
    """
    return [
        {
            "id": row.id,
            "part": part,
            "text": row.text,
            **({} if blind else {"expected": row.expected}),
            "predicted": row.predicted,
            "rating": "",
            "rater": "",
        }
        for row, part in drawn
    ]


def _odd(report: Report, rows: Sequence[SampleRow], number: int) -> list[SampleRow]:
    """The oddest of ``rows``: each kind in turn, and of each kind one sample of every pair before a second one."""
    flipped = {(pair.predicted, pair.expected) for pair in report.pairs if pair.flipped}
    kinds: list[Callable[[SampleRow], bool]] = [
        lambda row: row.state == "failed" and row.predicted == row.expected,
        lambda row: (row.predicted, row.expected) in flipped,
        lambda row: row.state == "unscored",
    ]
    if report.task != "chat":
        # There, other words than the reference's are nothing odd.
        kinds.insert(1, lambda row: row.state == "passed" and row.predicted != row.expected)
    odd = [_spread([row for row in rows if is_of(row)]) for is_of in kinds]
    near = sorted(rows, key=lambda row: _distance(row, report.judge.threshold))
    in_turn = (row for turn in zip_longest(*odd) for row in turn if row is not None)
    found = {row.id: row for row in chain(in_turn, near)}
    return list(found.values())[:number]


def _spread(rows: Sequence[SampleRow]) -> Iterator[SampleRow]:
    by_pair: defaultdict[tuple[str, str], list[SampleRow]] = defaultdict(list)
    for row in rows:
        by_pair[row.predicted, row.expected].append(row)
    return (row for turn in zip_longest(*by_pair.values()) for row in turn if row is not None)


def _distance(row: SampleRow, threshold: float) -> float:
    return abs(row.score - threshold) if row.score is not None else 2.0
