"""Lines of somebody else's file: which field holds what, as the user says."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from evals.calibration.tables import Row, is_empty
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import printable

__all__ = ["Fields"]


class Fields(NamedTuple):
    """Names of fields by role; roles that the file does not serve are absent.

    Roles are id, verdict, score, truth, repeat, reason and group. A name ``a.b`` is b within a.
    """

    names: Mapping[str, str]

    @classmethod
    def of_file(cls, path: Path, rows: Sequence[Row], named: Mapping[str, str | None]) -> Fields:
        """The fields that ``rows`` have, by the names given, else called as the role is.

        Raises UserError if one that was named, or the id, is nowhere.
        """
        found = {}
        for role, given in named.items():
            name = given or role
            if any(_within(row.values, name) is not None for row in rows):
                found[role] = name
            elif given is not None or role == "id":
                there = ", ".join(map(printable, dict.fromkeys(column for row in rows for column in row.values)))
                raise UserError(f'{path} has no field "{name}" (--{role}-field); its fields are {there}')
        return cls(found)

    def value(self, row: Row, role: str) -> Any:
        """What a row says; None if nothing."""
        value = _within(row.values, self.names[role]) if role in self.names else None
        return None if is_empty(value) else value

    def text(self, row: Row, role: str) -> str:
        """The same as text."""
        value = self.value(row, role)
        return "" if value is None else printable(str(value).strip())

    def number(self, row: Row, role: str) -> float | None:
        """The same as a number. Raises ValueError for what is none, NaN and infinities included."""
        value = self.value(row, role)
        if value is None:
            return None
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise ValueError(f"{self.names[role]} is {str(value)[:60]!r}, which is no number")
        return number


def _within(values: Mapping[str, Any], path: str) -> Any:
    """The entry at ``path``; a text on the way is read as JSON, as judges' raw answers are kept."""
    if path in values:
        return values[path]
    name, dot, rest = path.partition(".")
    inner = values.get(name) if dot else None
    if isinstance(inner, str):
        try:
            inner = json.loads(inner)
        except (ValueError, RecursionError):
            return None
    return _within(inner, rest) if isinstance(inner, Mapping) else None
