"""The store: a judgement is paid for once.

Each verdict is committed to SQLite before it is counted, so that neither a
kill nor a second process on the same store loses or repeats a finished one.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from evals.verdicts.committer import Committer
from evals.verdicts.database import FIELDS
from evals.verdicts.records import Asked, Paid, Verdict
from evals.verdicts.repair import INSERT
from evals.verdicts.rows import Record
from evals.verdicts.sound import SoundFile

__all__ = ["VerdictStore"]

# SQLite takes 999 parameters wherever it was built.
_AT_ONCE = 500


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
        self._file = SoundFile(path)
        self._committer: Committer | None = None

    def __enter__(self) -> VerdictStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Commit what is still on its way, and let go of the file."""
        try:
            if self._committer is not None:
                self._committer.close()
        finally:
            self._file.close()

    @property
    def path(self) -> Path:
        """The file."""
        return self._file.path

    @property
    def notices(self) -> list[str]:
        """What the user should know of the file's state."""
        return self._file.notices

    def get(self, asked: Asked) -> Verdict | None:
        """The stored verdict, or None."""
        return self.get_many([asked]).get(asked.key)

    def get_many(self, asked: Iterable[Asked]) -> dict[str, Verdict]:
        """The stored verdicts by the key of what was asked."""
        keys = list(dict.fromkeys(entry.key for entry in asked))
        return {key: record.verdict for key, record in self._file.reliably(lambda: self._find(keys)).items()}

    def put(self, asked: Asked, answer: Paid) -> Verdict:
        """Store a verdict, durably, and return what the store holds: the first one wins."""
        return self.add([Record(asked, answer, time.time())])[0].verdict

    async def aput(self, asked: Asked, answer: Paid) -> Verdict:
        """As `put`; the event loop goes on while the disk is waited for."""
        if self._committer is None:
            self._committer = Committer(self._another)
        return await self._committer.put(Record(asked, answer, time.time()))

    def add(self, records: Sequence[Record]) -> list[Record]:
        """Store all ``records`` or, on an error, none; returns what the store holds of each."""
        # Reversed: of several with one key, the first wins.
        new = {record.asked.key: record for record in reversed(records)}

        def insert() -> dict[str, Record]:
            with self._file.transaction() as connection:
                # Drops damaged rows, which would win otherwise.
                held = self._find(list(new))
                connection.executemany(INSERT, (record.row() for key, record in new.items() if key not in held))
            return new | held

        held = self._file.reliably(insert)
        return [held[record.asked.key] for record in records]

    def records(self) -> list[Record]:
        """Everything, in an order that depends on the content only."""

        def read() -> list[Record]:
            return self._sound(self._file.connection.execute(f"SELECT rowid, {FIELDS} FROM verdicts").fetchall())

        return sorted(self._file.reliably(read), key=_order)

    def remove(self, keys: Collection[str]) -> None:
        """Forget these verdicts and give their space back."""

        def delete() -> None:
            with self._file.transaction() as connection:
                connection.executemany("DELETE FROM verdicts WHERE key = ?", ((key,) for key in keys))

        self._file.reliably(delete)
        self._file.reliably(lambda: self._file.connection.execute("VACUUM"))

    def _find(self, keys: Sequence[str]) -> dict[str, Record]:
        rows: list[tuple[Any, ...]] = []
        for start in range(0, len(keys), _AT_ONCE):
            chunk = keys[start : start + _AT_ONCE]
            marks = ", ".join("?" * len(chunk))
            rows += self._file.connection.execute(f"SELECT rowid, {FIELDS} FROM verdicts WHERE key IN ({marks})", chunk)
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
            self._file.connection.executemany("DELETE FROM verdicts WHERE rowid = ?", damaged)
            count = "1 damaged verdict was" if len(damaged) == 1 else f"{len(damaged)} damaged verdicts were"
            self.notices.append(f"verdict store {self.path}: {count} dropped, to be asked for again")
        return sound

    def _another(self) -> VerdictStore:
        """A store on the same file for another thread, which gives its notices here."""
        store = VerdictStore(self.path)
        self.notices.extend(store.notices)
        store._file.notices = self.notices
        return store


def _order(record: Record) -> tuple[object, ...]:
    asked = record.asked
    pair = (asked.judgement.expected, asked.judgement.actual)
    return (asked.judge_kind, asked.judge_model, asked.metric, asked.score_mode, *pair, asked.repeat, asked.key)
