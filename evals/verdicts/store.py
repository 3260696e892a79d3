"""The store: a judgement is paid for once.

Each verdict is committed to SQLite before it is counted, so that neither a
kill nor a second process on the same store loses or repeats a finished one.
A commit takes 0.15 ms of CPU and one wait for the disk, so each verdict gets
its own: handing several to a thread, to be committed together, costs more.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from evals.verdicts.database import FIELDS, Damage, connect, file_id, is_damage, mistake, prepare
from evals.verdicts.records import Asked, Paid, Verdict
from evals.verdicts.repair import INSERT, set_aside
from evals.verdicts.rows import Record
from fixtures.contracts.errors import UserError

__all__ = ["VerdictStore"]

Result = TypeVar("Result")
# SQLite takes 999 parameters wherever it was built.
_AT_ONCE = 500
# Times that one operation mends the file before it gives up.
_ATTEMPTS = 3


class VerdictStore:
    """A file of verdicts, shared by any number of processes on one machine.

    Damage is dealt with wherever it shows: a row that fails its checksum is
    dropped, a file that cannot be read is set aside and its sound rows are
    saved. ``notices`` tells the user so, one line each.

    The file must lie on a local disk: SQLite's write-ahead log needs memory
    that processes share, and network drives have none.

    Raises UserError when the file cannot be opened, read or written.
    """

    def __init__(self, path: Path) -> None:
        # SQLite's log lies beside the file itself, whatever leads to it.
        self.path = path.resolve()
        self.notices: list[str] = []
        try:
            self._open()
        except (sqlite3.Error, OSError) as error:
            raise mistake(self.path, error) from error

    def __enter__(self) -> VerdictStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def get(self, asked: Asked) -> Verdict | None:
        """The stored verdict, or None."""
        return self.get_many([asked]).get(asked.key)

    def get_many(self, asked: Iterable[Asked]) -> dict[str, Verdict]:
        """The stored verdicts by the key of what was asked."""
        keys = list(dict.fromkeys(entry.key for entry in asked))
        return {key: record.verdict for key, record in self._reliably(lambda: self._find(keys)).items()}

    def put(self, asked: Asked, answer: Paid) -> Verdict:
        """Store a verdict, durably, and return what the store holds: the first one wins."""
        return self.add([Record(asked, answer, time.time())])[0].verdict

    def add(self, records: Sequence[Record]) -> list[Record]:
        """Store all ``records`` or, on an error, none; returns what the store holds of each."""

        # Reversed: of several with one key, the first wins.
        new = {record.asked.key: record for record in reversed(records)}

        def insert() -> dict[str, Record]:
            with self._transaction() as connection:
                # Drops damaged rows, which would win otherwise.
                held = self._find(list(new))
                connection.executemany(INSERT, (record.row() for key, record in new.items() if key not in held))
            return new | held

        held = self._reliably(insert)
        return [held[record.asked.key] for record in records]

    def records(self) -> list[Record]:
        """Everything, in an order that depends on the content only."""

        def read() -> list[Record]:
            return self._sound(self._connection.execute(f"SELECT rowid, {FIELDS} FROM verdicts").fetchall())

        return sorted(self._reliably(read), key=_order)

    def remove(self, keys: Collection[str]) -> None:
        """Forget these verdicts and give their space back."""

        def delete() -> None:
            with self._transaction() as connection:
                connection.executemany("DELETE FROM verdicts WHERE key = ?", ((key,) for key in keys))

        self._reliably(delete)
        self._reliably(lambda: self._connection.execute("VACUUM"))

    def _find(self, keys: Sequence[str]) -> dict[str, Record]:
        rows: list[tuple[Any, ...]] = []
        for start in range(0, len(keys), _AT_ONCE):
            chunk = keys[start : start + _AT_ONCE]
            marks = ", ".join("?" * len(chunk))
            rows += self._connection.execute(f"SELECT rowid, {FIELDS} FROM verdicts WHERE key IN ({marks})", chunk)
        return {record.asked.key: record for record in self._sound(rows)}

    def _sound(self, rows: Iterable[tuple[Any, ...]]) -> list[Record]:
        """The records in ``rows``; damaged ones are dropped from the store."""
        sound, damaged = [], []
        for number, *row in rows:
            record = Record.from_row(row)
            if record is None:
                damaged.append((number,))
            else:
                sound.append(record)
        if damaged:
            self._connection.executemany("DELETE FROM verdicts WHERE rowid = ?", damaged)
            count = "1 damaged verdict was" if len(damaged) == 1 else f"{len(damaged)} damaged verdicts were"
            self.notices.append(f"verdict store {self.path}: {count} dropped, to be asked for again")
        return sound

    def _open(self) -> None:
        """Connect to a sound store, whatever lies under its name."""
        for _ in range(_ATTEMPTS):
            self._connection, self._file = connect(self.path)
            try:
                return prepare(self._connection, self.path)
            except (sqlite3.Error, Damage) as error:
                self._set_aside(error)
            except BaseException:
                self._connection.close()
                raise
        raise UserError(f"verdict store {self.path} is damaged again and again; name another with --verdict-store")

    def _set_aside(self, error: sqlite3.Error | Damage) -> None:
        """Mend the store; raises ``error`` if that is not what it needs."""
        self._connection.close()
        if isinstance(error, sqlite3.Error):
            if not is_damage(error):
                raise error
            error = Damage(f"damaged ({error})")
        notice = set_aside(self.path, self._file, error)
        if notice is not None:
            self.notices.append(notice)

    def _reliably(self, work: Callable[[], Result]) -> Result:
        """The result of ``work``, which is done again if the file had to be mended first."""
        try:
            for _ in range(_ATTEMPTS):
                try:
                    return work()
                except sqlite3.Error as error:
                    if not is_damage(error):
                        raise
                    self._set_aside(error)
                    self._open()
            return work()
        except (sqlite3.Error, OSError) as error:
            raise mistake(self.path, error) from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction on the file that has the store's name now."""
        self._connection.execute("BEGIN IMMEDIATE")
        while file_id(self.path) != self._file:
            # Else a verdict could be committed to a file that nobody will open again.
            self._connection.close()
            self._open()
            self.notices.append(f"verdict store {self.path} was replaced while in use; the new file is used now")
            self._connection.execute("BEGIN IMMEDIATE")
        with self._connection as connection:
            yield connection


def _order(record: Record) -> tuple[object, ...]:
    asked = record.asked
    pair = (asked.judgement.expected, asked.judgement.actual)
    return (asked.judge_kind, asked.judge_model, asked.metric, asked.score_mode, *pair, asked.repeat, asked.key)
