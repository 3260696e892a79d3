"""Logs in JSON: Trainer's state, our metrics, events and checkpoints of hosted jobs; one document or JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from fixtures.contracts.errors import UserError
from training.diagnosis.points import Log, Row

__all__ = ["read_records"]


def read_records(file: Path, text: str) -> Log:
    """The rows that ``text`` holds, one JSON document or JSON Lines. A last line that was cut off is left out."""
    notes: list[str] = []
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = _lines(file, text, notes)
    entries = _entries(document)
    rows = [Row(f"entry {number}", _flat(entry)) for number, entry in enumerate(entries, start=1)]
    return Log(str(file), sorted({column for row in rows for column in row.cells}), rows, notes)


def _lines(file: Path, text: str, notes: list[str]) -> list[object]:
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    entries = []
    for number, line in lines:
        try:
            entries.append(json.loads(line))
        except (ValueError, RecursionError) as error:
            if entries and number == lines[-1][0] and not text.endswith("\n"):
                notes.append(f"line {number} is cut off and was left out")
                break
            raise UserError(f"{file}: line {number}: neither JSON nor a line of JSON Lines: {error}") from error
    return entries


def _entries(document: object) -> list[Mapping[str, object]]:
    """The list of entries inside a document, wherever its writer puts it."""
    if isinstance(document, dict):
        training = document.get("training")
        inner = training.get("curves") if isinstance(training, dict) else None
        for part in (document.get("log_history"), inner, document.get("data")):
            if isinstance(part, list):
                return _entries(part)
        return [document]
    if not isinstance(document, list):
        return []
    # Pages of events, a line each, are lists inside the list.
    return [inner for entry in document if isinstance(entry, dict) for inner in _entries_of(entry)]


def _entries_of(entry: dict[str, object]) -> list[Mapping[str, object]]:
    return _entries(entry) if isinstance(entry.get("data"), list) else [entry]


def _flat(entry: Mapping[str, object]) -> dict[str, object]:
    """An event keeps its figures in ``data``, a checkpoint in ``metrics``, and its step beside them."""
    inner = next((part for key in ("data", "metrics") if isinstance(part := entry.get(key), dict)), {})
    cells = {key: value for key, value in {**entry, **inner}.items() if not isinstance(value, (dict, list))}
    if cells.get("step") is None and "step_number" in cells:
        cells["step"] = cells["step_number"]
    return cells
