"""Verdicts, and the store that keeps them.

A judgement is paid for once. Each verdict is committed to SQLite before it is
counted, so that neither a kill nor a second process on the same store loses
or repeats a finished one.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from evals.judges.base import Judgement
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import printable

__all__ = ["Verdict", "VerdictStore", "verdict_key"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS verdicts (
    key TEXT PRIMARY KEY,
    score INTEGER NOT NULL,
    reason TEXT NOT NULL,
    raw TEXT NOT NULL
) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judge's verdict on a pair, or why there is none.

    ``score`` lies in 0..1 and is None exactly when ``error`` says why.
    """

    score: float | None
    reason: str
    error: str | None = None
    raw: str | None = None


def verdict_key(identity: dict[str, Any], metric: str, judgement: Judgement) -> str:
    """Address of a verdict: digest of judge, metric, score mode, pair and repeat."""
    content = {
        "judge": identity,
        "metric": metric,
        "score_mode": "raw",
        "actual": judgement.actual,
        "expected": judgement.expected,
        "repeat": 0,
    }
    # ASCII escapes also carry lone surrogates, which UTF-8 cannot.
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode("ascii")).hexdigest()


class VerdictStore:
    """A file of verdicts, shared by any number of processes on one machine.

    Raises UserError when the file cannot be opened or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=60)
            # WAL with full synchronisation: durable at commit, readers never wait.
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.execute(_SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise UserError(f"cannot use verdict store {path}: {error}; delete it or name another") from error

    def __enter__(self) -> VerdictStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def get(self, key: str) -> Verdict | None:
        """The stored verdict, or None."""
        row = self._connection.execute("SELECT score, reason, raw FROM verdicts WHERE key = ?", (key,)).fetchone()
        return None if row is None else Verdict(score=row[0] / 10, reason=row[1], raw=row[2])

    def put(self, key: str, score: int, reason: str, raw: str) -> Verdict:
        """Store a verdict, durably, and return what the store holds: the first one wins."""
        try:
            with self._connection:
                self._connection.execute(
                    "INSERT OR IGNORE INTO verdicts VALUES (?, ?, ?, ?)",
                    (key, score, printable(reason), printable(raw)),
                )
        except sqlite3.Error as error:
            raise UserError(f"cannot write verdict store {self.path}: {error}") from error
        stored = self.get(key)
        assert stored is not None
        return stored
