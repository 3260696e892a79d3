"""From rows as they were logged to clean curves.

Rows may come in any order, with holes and twice; what they say does not depend
on it. What had to be left out or averaged is noted for the reader.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fixtures.contracts.errors import UserError
from fixtures.contracts.files import printable
from training.diagnosis.curves import Curves, Measure, Series
from training.diagnosis.dialects import DIALECTS, STEP, Dialect, plain, recognise

__all__ = ["Log", "Row", "curves_of"]

_MISSING = {"", "-", "\N{EN DASH}", "\N{EM DASH}", "na", "n/a", "none", "null"}


class Row(NamedTuple):
    """What was logged together: column → cell, and where it stands, for messages."""

    place: str
    cells: Mapping[str, object]


class Log(NamedTuple):
    """What a file holds. ``columns`` are known even where there is no row."""

    name: str
    columns: Sequence[str]
    rows: Sequence[Row]
    notes: Sequence[str] = ()


_Found = Mapping[Measure, Mapping[float, Sequence[float]]]
"""Measure → step → the figures logged for it: one, unless a step was logged twice."""


def curves_of(log: Log) -> Curves:
    """The curves that ``log`` holds. Raises UserError if it is in no known dialect, or holds no figure."""
    headings = {plain(column): printable(column) for column in sorted(log.columns)}
    dialect = recognise(headings)
    step = next((name for name in STEP if name in headings), None)
    if dialect is None:
        raise UserError(_unknown(log, "none of its columns is a loss"))
    if step is None:
        raise UserError(_unknown(log, "it has no step"))
    if not log.rows:
        raise UserError(f"{log.name}: only a header, no rows")
    chosen = _columns(dialect, headings)
    found, without_step = _collected(log, headings, chosen, step)
    notes = [*log.notes]
    if without_step:
        rows = "1 row has" if without_step == 1 else f"{without_step} rows have"
        notes.append(f"{rows} no {headings[step]}; left out")
    series = {}
    for measure, points in found.items():
        heading = headings[chosen[measure]]
        notes += _noteworthy(heading, points)
        if clean := _clean(points):
            series[measure] = Series(heading, tuple(sorted(clean)), tuple(clean[at] for at in sorted(clean)))
    diverged_at = _diverged_at(found)
    if diverged_at is None and not any(measure.endswith("loss") for measure in series):
        raise UserError(f"{log.name}: no row has both a step and a loss")
    return Curves(dialect.name, series, diverged_at, tuple(notes))


def _columns(dialect: Dialect, headings: Mapping[str, str]) -> dict[Measure, str]:
    """For each measure the column that holds it."""
    chosen: dict[Measure, str] = {}
    for name, measure in dialect.columns.items():
        if name in headings:
            chosen.setdefault(measure, name)
    return chosen


def _collected(log: Log, headings: Mapping[str, str], chosen: Mapping[Measure, str], step: str) -> tuple[_Found, int]:
    """All figures, and the number of rows that have some but no step."""
    found: dict[Measure, dict[float, list[float]]] = {measure: defaultdict(list) for measure in chosen}
    without_step = 0
    for row in log.rows:
        cells = {plain(column): cell for column, cell in row.cells.items()}
        figures = {measure: _number(log, row, headings[name], cells.get(name)) for measure, name in chosen.items()}
        at = _number(log, row, headings[step], cells.get(step))
        if at is None or not math.isfinite(at):
            without_step += any(figure is not None for figure in figures.values())
            continue
        for measure, figure in figures.items():
            # Result files of hosted fine-tuning have -1 for what was not measured.
            if figure is not None and figure != -1:
                found[measure][int(at) if at.is_integer() else at].append(figure)
    return found, without_step


def _number(log: Log, row: Row, heading: str, cell: object) -> float | None:
    """The figure in a cell, None if it is empty. Raises UserError for anything else than a figure."""
    if cell is None or (isinstance(cell, str) and cell.strip().lower() in _MISSING):
        return None
    if isinstance(cell, (str, int, float)) and not isinstance(cell, bool):
        try:
            return float(cell)
        except (ValueError, OverflowError):
            pass
    raise UserError(f"{log.name}: {row.place}: {heading} is {str(cell)[:40]!r}, which is no number")


def _clean(points: Mapping[float, Sequence[float]]) -> dict[float, float]:
    """One figure a step. The sum is exact, so the order of rows changes nothing, not even the last digit."""
    finite = {at: [value for value in values if math.isfinite(value)] for at, values in points.items()}
    return {at: math.fsum(values) / len(values) for at, values in finite.items() if values}


def _diverged_at(found: _Found) -> float | None:
    """Where the training loss became NaN or infinite, if no loss was ever a number again."""
    losses = [points for measure, points in found.items() if measure.endswith("loss")]
    finite = [at for points in losses for at, values in points.items() if any(map(math.isfinite, values))]
    last = max(finite, default=-math.inf)
    return min((at for at in found.get(Measure.TRAIN_LOSS, ()) if at > last), default=None)


def _noteworthy(heading: str, points: Mapping[float, Sequence[float]]) -> list[str]:
    notes = []
    if odd := sorted(at for at, values in points.items() if not all(map(math.isfinite, values))):
        notes.append(f"{heading} is NaN or infinite at {_steps(odd)} and was left out there")
    if twice := sorted(at for at, values in points.items() if len({v for v in values if math.isfinite(v)}) > 1):
        notes.append(f"{heading} has several figures at {_steps(twice)}; their mean was taken")
    return notes


def _steps(steps: Sequence[float]) -> str:
    return f"step {steps[0]}" + (f" and {len(steps) - 1} more" if len(steps) > 1 else "")


def _unknown(log: Log, reason: str) -> str:
    columns = ", ".join(map(printable, sorted(log.columns)[:20])) or "none"
    known = ", ".join(dialect.name for dialect in DIALECTS)
    return f"{log.name}: {reason} (found: {columns}); known are {known}"
