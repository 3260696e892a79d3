"""What people said of samples: ratings from one or several raters, in either of two layouts.

One rating a line, as ``python -m evals label draw`` writes it::

    id,rater,rating,part
    sci.med-0f3a9c11,anna,pass,random

or one sample a line and one column per rater (in JSONL a list of ratings will do, too)::

    id,anna,ben
    sci.med-0f3a9c11,pass,fail

There a rater's empty cell is a sample that was not given to this rater. An
empty ``rating``, and a sample that nobody rated, is a label that is missing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from evals.calibration.scale import Rating, Scale
from evals.calibration.tables import Faults, Row, check, is_empty, read_table
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import printable

__all__ = ["COLUMNS", "Label", "Part", "Ratings", "cell_votes", "read_ratings"]

Part = Literal["random", "focus"]

COLUMNS = ("id", "part", "text", "expected", "predicted", "rating", "rater", "comment")
"""What a file for raters has; a column of any other name is a rater's."""


class Label(NamedTuple):
    """What one rater said of one sample. ``part`` says how the sample was drawn, if that is known."""

    id: str
    rater: str
    rating: Rating
    part: Part | None


class Ratings(NamedTuple):
    """All labels of some files, and what there is to say about them."""

    labels: list[Label]
    notes: list[str]


class _Cell(NamedTuple):
    line: int
    id: str
    rater: str
    value: Any
    part: str


def read_ratings(
    paths: Sequence[Path],
    scale: Scale,
    *,
    raters: Sequence[str] = (),
    known: Collection[str] | None = None,
    allow_missing: bool = False,
) -> Ratings:
    """The ratings of all files. ``raters`` names their columns, where only some columns are raters'.

    Raises UserError that tells all faults by line: missing and duplicate
    labels, values that are no rating, ids beyond ``known``.
    """
    ratings: dict[tuple[str, str], Rating] = {}
    places: dict[tuple[str, str], str] = {}
    parts: dict[str, Part] = {}
    files: list[Faults] = []
    notes: list[str] = []
    missing = 0
    for path in paths:
        faults = Faults(str(path))
        files.append(faults)
        for cell in _cells(path, read_table(path), notes, raters):
            key = (cell.id, cell.rater)
            fault = _fault(cell, known, parts)
            if fault is None and is_empty(cell.value):
                missing += 1
                fault = None if allow_missing else f"the rating of sample {cell.id!r} is missing (--allow-missing)"
            elif fault is None and key in places:
                fault = f"{cell.rater} rated sample {cell.id!r} already, in {places[key]}"
            elif fault is None:
                places[key] = f"{path} line {cell.line}"
                try:
                    ratings[key] = scale.read(cell.value)
                except ValueError as error:
                    fault = str(error)
            if fault is not None:
                faults.add(cell.line, fault)
    check(*files)
    if missing:
        notes.append(f"{missing} ratings are missing and left out")
    labels = [Label(name, rater, rating, parts.get(name)) for (name, rater), rating in ratings.items()]
    return Ratings(labels, notes)


def cell_votes(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The votes in a rater's cell: one, or a list of several raters' that have no names."""
    if isinstance(value, list):
        yield from ((f"{name} {number}", entry) for number, entry in enumerate(value, 1))
    else:
        yield name, value


def _fault(cell: _Cell, known: Collection[str] | None, parts: dict[str, Part]) -> str | None:
    """What is wrong with a row, whatever its rating says. ``parts`` collects how each sample was drawn."""
    if not cell.id:
        return 'there is no id in column "id"'
    if not cell.rater:
        return "there is no rater, while other rows name several"
    if known is not None and cell.id not in known:
        return f"there is no sample {cell.id!r} in the report"
    for part in get_args(Part):
        if cell.part == part and parts.setdefault(cell.id, part) != part:
            return f"sample {cell.id!r} is of part {part!r} here and of part {parts[cell.id]!r} elsewhere"
    if cell.part and cell.part not in get_args(Part):
        return f"part is {cell.part!r}; it must be random or focus, as the sample was drawn"
    return None


def _cells(path: Path, rows: Sequence[Row], notes: list[str], raters: Sequence[str]) -> Iterator[_Cell]:
    columns = list(dict.fromkeys(name for row in rows for name in row.values))
    shown = ", ".join(map(printable, columns))
    for name in ("id", *raters):
        if name not in columns:
            raise UserError(f'{path} has no column "{name}"; its columns are {shown}')
    if "rating" in columns and not raters:
        yield from _one_a_line(path, rows, notes)
        return
    names = raters or [name for name in columns if name not in COLUMNS]
    if not names:
        raise UserError(f'{path} has neither a column "rating" nor one per rater; its columns are {shown}')
    for row in rows:
        votes = [vote for name in names for vote in cell_votes(name, row.values.get(name))]
        # Where nobody rated the sample, the first rater's empty cell stands for that.
        for rater, value in [vote for vote in votes if not is_empty(vote[1])] or [(names[0], None)]:
            yield _cell(row, rater, value)


def _one_a_line(path: Path, rows: Sequence[Row], notes: list[str]) -> Iterator[_Cell]:
    named = {rater for row in rows if (rater := _text(row.values, "rater"))}
    usual = ""
    if not named:
        usual = path.stem
        notes.append(f"{path} names no rater; its ratings are taken as those of {usual!r}")
    elif len(named) == 1:
        # Who wrote the name into the first row only, meant all of them.
        (usual,) = named
    for row in rows:
        yield _cell(row, _text(row.values, "rater") or usual, row.values.get("rating"))


def _cell(row: Row, rater: str, value: Any) -> _Cell:
    return _Cell(row.line, _text(row.values, "id"), rater, value, _text(row.values, "part"))


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    return "" if value is None else printable(str(value)).strip()
