"""Result files as tables: comma, semicolon or tab, as they were downloaded or copied from a page."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from fixtures.contracts.errors import UserError
from training.diagnosis.points import Log, Row

__all__ = ["read_table"]


def read_table(file: Path, text: str) -> Log:
    """The rows below the header. A last line that was cut off is left out."""
    header = next(line for line in text.splitlines() if line.strip())
    # Whatever separates most columns of the header; names of columns contain none of the three.
    separator = max(",;\t", key=header.count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        rows = [(lines.line_num, cells) for cells in lines if any(cell.strip() for cell in cells)]
    except csv.Error as error:
        raise UserError(f"{file}: line {lines.line_num}: {error}") from error
    if not rows:
        raise UserError(f"{file}: a header without names")
    columns, notes = rows.pop(0)[1], []
    if rows and not text.endswith(("\n", "\r")) and len(rows[-1][1]) < len(columns):
        notes.append(f"line {rows[-1][0]} is cut off and was left out")
        rows.pop()
    for line, cells in rows:
        if any(cell.strip() for cell in cells[len(columns) :]):
            raise UserError(f"{file}: line {line}: {len(cells)} cells for {len(columns)} columns")
    found = [Row(f"line {line}", dict(zip(columns, cells, strict=False))) for line, cells in rows]
    return Log(str(file), columns, found, notes)
