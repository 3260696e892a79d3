"""Tables that people fill in: CSV and JSONL, read with line numbers, written so that spreadsheets do no harm."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fixtures.contracts.errors import UserError
from fixtures.contracts.files import jsonl, printable, write_atomic

__all__ = ["Faults", "Row", "check", "is_empty", "read_table", "write_table"]

# A spreadsheet takes a cell that begins so for a formula, and would run it: texts under test are
# written by anybody. Hence the quote before it (OWASP, "CSV Injection"), which is taken off again on reading.
_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_SHOWN = 100


class Row(NamedTuple):
    """One line of a table; ``line`` counts from 1 and is that on which the row begins."""

    line: int
    values: Mapping[str, Any]


class Faults:
    """Everything that is wrong with a file, to be told at once."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._found: list[tuple[int, str]] = []

    def add(self, line: int, text: str) -> None:
        """Note that a line is faulty."""
        self._found.append((line, printable(text)))

    def lines(self) -> list[str]:
        """What to tell the user; nothing if all is well."""
        if not self._found:
            return []
        lines = len({line for line, _ in self._found})
        shown = [f"  line {line}: {text}" for line, text in sorted(self._found)[:_SHOWN]]
        if len(self._found) > _SHOWN:
            shown.append(f"  and {len(self._found) - _SHOWN} more")
        return [f"{self.name}: {'1 line is' if lines == 1 else f'{lines} lines are'} faulty", *shown]


def check(*files: Faults) -> None:
    """Raise UserError if anything was noted of any file."""
    lines = [line for faults in files for line in faults.lines()]
    if lines:
        raise UserError("\n".join(lines))


def is_empty(value: Any) -> bool:
    """Whether a cell says nothing."""
    return value is None or (isinstance(value, str) and not value.strip())


def read_table(path: Path) -> list[Row]:
    """The rows of a ``.csv`` (also with semicolons or tabs) or ``.jsonl`` file.

    Raises UserError for a file that cannot be read, holds no row or ends
    otherwise, and for faulty lines, all of them at once.
    """
    if path.suffix.lower() not in (".csv", ".jsonl"):
        raise UserError(f"{path}: the name of a table must end in .csv or .jsonl")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UserError(f'{path} is not UTF-8; a spreadsheet calls that "CSV UTF-8"') from error
    faults = Faults(str(path))
    rows = list(_csv_rows(text, faults) if path.suffix.lower() == ".csv" else _json_rows(text, faults))
    check(faults)
    if not rows:
        raise UserError(f"{path} holds no row")
    return rows


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows of one shape as ``.csv`` or ``.jsonl``, atomically; `read_table` gives them back, in CSV as texts."""
    if path.suffix.lower() == ".jsonl":
        write_atomic(path, jsonl(rows))
        return
    if path.suffix.lower() != ".csv":
        raise UserError(f"{path}: the name of a table must end in .csv or .jsonl")
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, list(rows[0]) if rows else [])
    writer.writeheader()
    writer.writerows({name: _guarded(value) for name, value in row.items()} for row in rows)
    # Spreadsheets know UTF-8 by its byte-order mark only.
    write_atomic(path, buffer.getvalue().encode("utf-8-sig", "backslashreplace"))


def _guarded(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _csv_rows(text: str, faults: Faults) -> Iterator[Row]:
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    line = 0
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            faults.add(line, f"not CSV: {error}")
            return
        if not any(cell.strip() for cell in cells):
            continue
        if header is None:
            header = [cell.strip() for cell in cells]
            for name in {name for name in header if name and header.count(name) > 1}:
                faults.add(line, f'two columns are called "{name}"')
        elif len(cells) > len(header):
            faults.add(line, f"{len(cells)} cells under {len(header)} columns")
        else:
            # A spreadsheet drops empty cells at the end of a row.
            cells += [""] * (len(header) - len(cells))
            yield Row(line, {name: _unguarded(cell) for name, cell in zip(header, cells, strict=True) if name})


def _json_rows(text: str, faults: Faults) -> Iterator[Row]:
    for line, entry in enumerate(text.split("\n"), 1):
        if not entry.strip():
            continue
        try:
            value = json.loads(entry, parse_constant=_no_number, object_pairs_hook=_no_duplicates)
        except (ValueError, RecursionError) as error:
            faults.add(line, f"not JSON: {error}")
            continue
        if isinstance(value, dict):
            yield Row(line, value)
        else:
            faults.add(line, f"must hold a JSON object, not {type(value).__name__}")


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _no_duplicates(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    pairs = list(pairs)
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f'key "{next(name for name in names if names.count(name) > 1)}" is given twice')
    return values
