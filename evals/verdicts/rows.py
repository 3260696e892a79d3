"""What was asked and paid for, as one row.

A row says in plain columns all that it is about, so that it can be read,
moved and checked without this program. Two digests guard it: ``key`` over what
was asked, by which it is found, and ``checksum`` over everything, by which a
row is recognised that a disk has silently changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evals.judges.base import Judgement
from evals.verdicts.records import Asked, Paid, Verdict, canonical, digest

__all__ = ["COLUMNS", "Record"]

COLUMNS = {
    "key": "TEXT PRIMARY KEY",
    "judge_kind": "TEXT NOT NULL",
    "judge_model": "TEXT NOT NULL",
    "judge": "TEXT NOT NULL",
    "metric": "TEXT NOT NULL",
    "score_mode": "TEXT NOT NULL",
    "actual": "TEXT NOT NULL",
    "expected": "TEXT NOT NULL",
    "repeat": "INTEGER NOT NULL",
    "score": "REAL NOT NULL",
    "reason": "TEXT NOT NULL",
    "raw": "TEXT NOT NULL",
    "tokens_in": "INTEGER",
    "tokens_out": "INTEGER",
    "seconds": "REAL NOT NULL",
    "served_model": "TEXT NOT NULL",
    "created": "REAL NOT NULL",
    # Last: it came with version 3.
    "input": "TEXT NOT NULL",
    "checksum": "TEXT NOT NULL",
}
"""Columns of the table and their types, in order."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the store."""

    asked: Asked
    answer: Paid
    created: float
    """Seconds since 1970, UTC. For people to read: nothing relies on clocks."""

    @property
    def verdict(self) -> Verdict:
        """What the evaluation sees of it."""
        return Verdict(self.answer.score, self.answer.reason, None, self.answer.raw)

    def entry(self) -> dict[str, Any]:
        """All columns but the checksum, as JSON values."""
        asked, answer = self.asked, self.answer
        return {
            "key": asked.key,
            "judge_kind": asked.judge_kind,
            "judge_model": asked.judge_model,
            "judge": dict(asked.judge),
            "metric": asked.metric,
            "score_mode": asked.score_mode,
            "actual": asked.judgement.actual,
            "expected": asked.judgement.expected,
            "repeat": asked.repeat,
            "score": _real(answer.score),
            "reason": answer.reason,
            "raw": answer.raw,
            "tokens_in": answer.tokens_in,
            "tokens_out": answer.tokens_out,
            "seconds": _real(answer.seconds),
            "served_model": answer.model,
            "created": _real(self.created),
            "input": asked.judgement.input,
        }

    @classmethod
    def from_entry(cls, entry: Mapping[str, Any]) -> Record:
        """The record that `entry` describes; its key is computed anew."""
        # The metric's name is not stored: its fingerprint tells more.
        judgement = Judgement(entry["actual"], entry["expected"], entry["input"])
        return cls(
            Asked(entry["judge"], entry["metric"], entry["score_mode"], judgement, entry["repeat"]),
            Paid(
                score=entry["score"],
                reason=entry["reason"],
                raw=entry["raw"],
                tokens_in=entry["tokens_in"],
                tokens_out=entry["tokens_out"],
                seconds=entry["seconds"],
                model=entry["served_model"],
            ),
            entry["created"],
        )

    def row(self) -> tuple[Any, ...]:
        """Values for the columns, in order."""
        values = [canonical(value) if name == "judge" else value for name, value in self.entry().items()]
        return (*map(_storable, values), digest(values))

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Record | None:
        """The record in a row whose texts come as bytes; None if it is damaged. Also reads rows of version 2."""
        try:
            *values, checksum = (
                value.decode("utf-8", "surrogatepass") if isinstance(value, bytes) else value for value in row
            )
            if digest(values) != checksum:
                return None
            if len(values) == len(COLUMNS) - 2:
                values.append("")
            entry = dict(zip(COLUMNS, values, strict=False))
            return cls.from_entry(entry | {"judge": json.loads(entry["judge"])})
        except (ValueError, TypeError):
            return None


def _real(number: float) -> float:
    # SQLite knows no negative zero: the checksum would not fit what it gives back.
    return float(number) + 0.0


def _storable(value: Any) -> Any:
    """``value`` as SQLite takes it: texts that are no Unicode go in as bytes."""
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            return value.encode("utf-8", "surrogatepass")
    return value
