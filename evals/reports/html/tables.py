"""Rows of the report, grouped for the page. It counts and sorts; it estimates nothing."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from evals.gate import Condition
from evals.reports.model import Report
from evals.reports.rows import CategoryRow
from fixtures.contracts.files import printable

__all__ = [
    "LISTED",
    "MATRIX_LABELS",
    "VOTES",
    "Cell",
    "ScoreBar",
    "by_pass_rate",
    "cells",
    "conditions",
    "flat",
    "labels",
    "largest_confusions",
    "minimum",
    "rate_condition",
    "score_bars",
    "training_leaves",
    "training_rows",
    "unscored_reasons",
]

MATRIX_LABELS = 40
"""A wider confusion matrix cannot be read; the largest confusions are listed instead."""
LISTED = 100
"""Rows of a list; the rest stands in the report."""
VOTES = 30
"""Votes shown of a pair."""
FOLDED = 4
"""Categories that meet the gate from which they are put aside."""
_SHADES = (0.01, 0.03, 0.1, 0.3, 0.6)
"""Shares of a row at which a cell gets darker: mistakes differ within a few percent."""


class ScoreBar(NamedTuple):
    """Samples with a score in ``low <= score < low + 0.1``; the last bar is the score 1 alone."""

    low: float
    passed: int
    failed: int


def by_pass_rate(report: Report) -> list[CategoryRow]:
    """Categories, the lowest pass rate first; those without a verdict last."""

    def key(row: CategoryRow) -> tuple[float, str]:
        rate = row.pass_rate.rate
        return (2.0 if rate is None else rate, row.category)

    return sorted(report.categories, key=key)


def rate_condition(report: Report) -> Condition | None:
    """What the gate asks of the pass rate, as judged or corrected; None if nothing."""
    return next((row for row in report.gate.conditions if row.name in ("pass rate", "corrected pass rate")), None)


def conditions(report: Report) -> tuple[list[Condition], list[Condition]]:
    """What the gate asked for; apart from it, when there is much, the categories that meet it."""
    rows = report.gate.conditions
    met = [row for row in rows if row.outcome == "pass" and row.name.startswith("pass rate of ")]
    if len(met) < FOLDED:
        return rows, []
    return [row for row in rows if row not in met], met


def minimum(report: Report) -> float | None:
    """The required pass rate, if the gate asks for one."""
    required = report.gate.policy.get("min_pass_rate")
    return float(required) if report.gate.policy.get("gate") == "rate" and required is not None else None


def score_bars(report: Report) -> list[ScoreBar]:
    """Eleven bars from 0 to 1: the grid of raw scores."""
    counts = Counter(
        # 0.3 * 10 is 2.9999999999999996 for scores that come as sums.
        (min(10, max(0, int(sample.score * 10 + 1e-9))), sample.state)
        for sample in report.samples
        if sample.score is not None
    )
    return [ScoreBar(tenth / 10, counts[tenth, "passed"], counts[tenth, "failed"]) for tenth in range(11)]


def unscored_reasons(report: Report) -> list[tuple[str, int]]:
    """Why samples got no verdict, the most frequent reason first."""
    counts = Counter(
        sample.error or sample.reason or "no reason given" for sample in report.samples if sample.state == "unscored"
    )
    return sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))


class Cell(NamedTuple):
    """Samples expected in category ``row`` and answered as ``column``; ``shade`` 0..6 is the share of the row."""

    row: int
    column: int
    samples: int
    shade: int


def labels(report: Report) -> list[str]:
    """What samples are filtered by: the confusion matrix's labels, or a chat model's categories."""
    return report.classic.confusion.labels if report.classic else [row.category for row in report.categories]


def cells(report: Report) -> list[list[Cell]]:
    """The confusion matrix."""
    matrix = report.classic.confusion.matrix if report.classic else []
    return [[Cell(i, j, count, _shade(count, sum(row))) for j, count in enumerate(row)] for i, row in enumerate(matrix)]


def _shade(count: int, total: int) -> int:
    return 1 + bisect_right(_SHADES, count / total) if count else 0


def largest_confusions(report: Report) -> list[Cell]:
    """Cells off the diagonal, the largest first."""
    wrong = [cell for row in cells(report) for cell in row if cell.samples and cell.row != cell.column]
    return sorted(wrong, key=lambda cell: (-cell.samples, cell.row, cell.column))


def training_rows(report: Report) -> list[tuple[str, str, dict[str, Any]]]:
    """(documents, who, figures) of what a manifest of ours says of validation and test."""
    metrics = report.model.training
    rows = []
    for part in ("validation", "test"):
        measured = metrics.get(part)
        if not isinstance(measured, dict):
            continue
        for key, who in (("model", "this model"), ("baseline", str(metrics.get("baseline", "baseline")))):
            if isinstance(figures := measured.get(key), dict):
                rows.append((part, who, figures))
    return rows


def training_leaves(report: Report) -> list[tuple[str, Any]]:
    """Everything that the manifest tells of the training but its curves, which are drawn."""
    return [(name, value) for name, value in flat(report.model.training) if not name.startswith("training.curves")]


def flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings, named by their path."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from flat(inner, f"{name}.{key}" if name else printable(str(key)))
    else:
        yield name, value
