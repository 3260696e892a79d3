"""A damaged store is set aside, and what can be read of it is saved.

Everything here happens with the other processes on the store in mind: one of
them repairs, the others find the new file under the old name. SQLite itself
leaves a file alone, its log included, once that was moved under it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path

from evals.verdicts.database import FIELDS, WAIT, Damage, create_table, file_id
from evals.verdicts.rows import COLUMNS, Record

__all__ = ["INSERT", "set_aside"]

INSERT = f"INSERT INTO verdicts VALUES ({', '.join('?' * len(COLUMNS))})"
_ROWS = f"SELECT rowid, {FIELDS} FROM verdicts NOT INDEXED WHERE rowid > ? ORDER BY rowid"
# Damage may show a row twice.
_KEEP_FIRST = INSERT.replace("INSERT", "INSERT OR IGNORE", 1)
_COMPANIONS = ("-wal", "-shm")


def set_aside(path: Path, seen: tuple[int, int] | None, damage: Damage) -> str | None:
    """Replace the damaged store by one with its readable verdicts; says so in one line.

    ``seen`` is the file that was found damaged: if another one has its name
    already, another process repaired it, and nothing is done. The damaged file
    becomes ``NAME.damaged-1``, or the next free number.

    Raises sqlite3.Error or OSError when there is no room.
    """
    with _alone(path.parent):
        if seen is None or file_id(path) != seen:
            return None
        aside = _free_name(path, damage.label)
        fresh = _beside(path, ".salvaged")
        fresh.unlink(missing_ok=True)
        try:
            with closing(sqlite3.connect(path, timeout=WAIT, isolation_level=None)) as source:
                source.text_factory = bytes
                with suppress(sqlite3.Error):
                    # Else SQLite refuses a truncated file as a whole.
                    source.execute("PRAGMA writable_schema=ON")
                    # Keeps other processes from writing, if the damage lets it.
                    source.execute("BEGIN IMMEDIATE")
                kept = _salvage(source, fresh)
                # The log first: the old one must never lie beside the new store.
                for suffix in (*_COMPANIONS, ""):
                    with suppress(FileNotFoundError):
                        _beside(path, suffix).rename(_beside(aside, suffix))
                fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)
    return (
        f"verdict store {path} is {damage}; it was set aside as {aside.name}, {kept} verdicts were saved from it,"
        " lost ones are asked for again"
    )


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _free_name(path: Path, label: str) -> Path:
    for number in count(1):
        name = _beside(path, f".{label}-{number}")
        if not any(_beside(name, suffix).exists() for suffix in ("", *_COMPANIONS)):
            break
    return name


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes from repairing at the same time; a kill ends it."""
    if os.name == "nt":
        # Windows lets nobody rename an open file, so that two cannot get far.
        yield
        return
    import fcntl

    # The folder itself is locked: a file for that would have to be left behind.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _salvage(source: sqlite3.Connection, target: Path) -> int:
    """Copy every readable row with a good checksum to a new store; returns their number."""
    with closing(sqlite3.connect(target, isolation_level=None)) as connection:
        # No log: a copy that is not finished has no name yet that counts.
        connection.execute("PRAGMA journal_mode=OFF")
        create_table(connection)
        with connection:
            connection.execute("BEGIN")
            for row in _readable_rows(source):
                if Record.from_row(row) is not None:
                    connection.execute(_KEEP_FIRST, [_as_stored(value) for value in row])
        return int(connection.execute("SELECT count(*) FROM verdicts").fetchone()[0])


def _as_stored(value: object) -> object:
    if isinstance(value, bytes):
        with suppress(UnicodeDecodeError):
            return value.decode("utf-8")
    return value


def _readable_rows(source: sqlite3.Connection) -> Iterator[tuple[object, ...]]:
    """All rows in order of their numbers, with jumps over damaged pages."""
    after = 0
    while True:
        try:
            for number, *row in source.execute(_ROWS, (after,)):
                after = max(after, number)
                yield tuple(row)
            return
        except sqlite3.DatabaseError:
            start = _next_readable(source, after)
            if start is None:
                return
            after = start


def _next_readable(source: sqlite3.Connection, after: int) -> int | None:
    """The lowest number > ``after`` from which rows can be read again; None: there is none."""

    def readable(number: int) -> bool:
        try:
            source.execute(_ROWS, (number,)).fetchone()
        except sqlite3.DatabaseError:
            return False
        return True

    step = 1
    while not readable(after + step):
        step *= 2
        if after + step >= 2**63:
            return None
    # The damage ends between the last two steps.
    low, high = after + step // 2, after + step
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if readable(middle) else (middle, high)
    return high
