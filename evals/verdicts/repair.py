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

from evals.verdicts.database import WAIT, Damage, create_table, file_id
from evals.verdicts.pages import rows_in
from evals.verdicts.rows import COLUMNS, Record

__all__ = ["INSERT", "set_aside"]

INSERT = f"INSERT INTO verdicts VALUES ({', '.join('?' * len(COLUMNS))})"
# Pages may show a row twice.
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
                with suppress(sqlite3.Error):
                    # Keeps other processes from writing, if the damage lets it; this would refuse a truncated file.
                    source.execute("PRAGMA writable_schema=ON")
                    source.execute("BEGIN IMMEDIATE")
                kept = _salvage(path, fresh)
                # The log first: the old one must never lie beside the new store.
                for suffix in (*_COMPANIONS, ""):
                    with suppress(FileNotFoundError):
                        _beside(path, suffix).rename(_beside(aside, suffix))
                fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)
        if (log := _beside(aside, "-wal")).exists() and not log.stat().st_size:
            # Only opening it made it.
            for suffix in _COMPANIONS:
                _beside(aside, suffix).unlink(missing_ok=True)
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


def _salvage(source: Path, target: Path) -> int:
    """Copy every readable row with a good checksum to a new store; returns their number."""
    with closing(sqlite3.connect(target, isolation_level=None)) as connection:
        # No log: a copy that is not finished has no name yet that counts.
        connection.execute("PRAGMA journal_mode=OFF")
        create_table(connection)
        with connection:
            connection.execute("BEGIN")
            for row in rows_in(source, _beside(source, "-wal")):
                values = [_typed(value, kind) for value, kind in zip(row, COLUMNS.values(), strict=False)]
                if (record := Record.from_row(values)) is not None:
                    connection.execute(_KEEP_FIRST, record.row())
        return int(connection.execute("SELECT count(*) FROM verdicts").fetchone()[0])


def _typed(value: object, kind: str) -> object:
    # In its pages SQLite writes whole numbers as integers.
    return float(value) if isinstance(value, int) and kind.startswith("REAL") else value
