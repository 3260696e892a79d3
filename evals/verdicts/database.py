"""The SQLite file under the store: opened, checked, and its errors put in words."""

from __future__ import annotations

import errno
import os
import random
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from evals.verdicts.rows import COLUMNS
from fixtures.contracts.errors import UserError

__all__ = [
    "FIELDS",
    "WAIT",
    "Damage",
    "connect",
    "create_table",
    "file_id",
    "is_damage",
    "is_database",
    "mistake",
    "prepare",
]

VERSION = 3
APPLICATION = 0x6E6A7664
"""Marks our files among SQLite's: "njvd"."""
WAIT = 60.0
"""Seconds to wait for other processes on the same store."""
FIELDS = ", ".join(COLUMNS)

_FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM)
_SCHEMA = "CREATE TABLE verdicts ({})".format(", ".join(f"{name} {kind}" for name, kind in COLUMNS.items()))


class Damage(Exception):
    """The file is no sound store of this version; says why."""

    def __init__(self, reason: str, label: str = "damaged") -> None:
        super().__init__(reason)
        self.label = label


def file_id(path: Path) -> tuple[int, int] | None:
    """What tells this file from another of the same name; None: there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def connect(path: Path) -> tuple[sqlite3.Connection, tuple[int, int] | None]:
    """A connection, and the `file_id` of what it is connected to; nothing is read yet.

    Raises sqlite3.Error or OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        # An existing database is opened by SQLite alone: closing it would drop SQLite's locks.
        with suppress(FileExistsError):
            path.touch(exist_ok=False)
        before = file_id(path)
        connection = sqlite3.connect(path, timeout=WAIT, isolation_level=None)
        if before == file_id(path):
            # Texts are decoded by `Record`: here, one that is damaged would take all others with it.
            connection.text_factory = bytes
            return connection, before
        connection.close()


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make commits durable, and an empty file a store.

    Raises Damage or sqlite3.Error for a file that is no sound store of this
    version, UserError for one that must not be used.
    """
    _refuse_strangers(connection, path)
    # Write-ahead log, synchronised at every commit: kill -9 loses nothing, readers never wait.
    if _patiently(connection, "PRAGMA journal_mode=WAL") != b"wal":
        raise UserError(
            f"cannot use verdict store {path}: its file system has no shared memory (a network drive?);"
            " name a file on a local disk with --verdict-store"
        )
    connection.execute("PRAGMA synchronous=FULL")
    create_table(connection)
    _check(connection)


def is_database(path: Path) -> bool:
    """Whether the file is SQLite's, sound or not."""
    # Asked of SQLite: opening and closing its file ourselves would drop its locks.
    with closing(sqlite3.connect(path, timeout=WAIT)) as connection:
        try:
            connection.execute("PRAGMA schema_version")
        except sqlite3.Error as error:
            return error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_NOTADB
        return True


def _refuse_strangers(connection: sqlite3.Connection, path: Path) -> None:
    """Raise UserError for somebody else's database: it must not be touched."""
    tables = _tables(connection)
    if tables and b"verdicts" not in tables and _number(connection, "application_id") != APPLICATION:
        raise UserError(f"{path} is a database, but no verdict store; name another file with --verdict-store")


def _patiently(connection: sqlite3.Connection, statement: str) -> object:
    """The value of ``statement``, for which processes must wait outside of SQLite.

    Inside, each would keep its lock while it waits for the others to give up theirs.
    """
    deadline = time.monotonic() + WAIT
    connection.execute("PRAGMA busy_timeout=0")
    while True:
        try:
            value = connection.execute(statement).fetchone()[0]
            connection.execute(f"PRAGMA busy_timeout={WAIT * 1000:.0f}")
            return value
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(random.uniform(0.001, 0.02))


def create_table(connection: sqlite3.Connection) -> None:
    """Make an empty file a store; leave any other as it is."""
    if _tables(connection):
        return
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        # Another process may have been quicker.
        if not _tables(connection):
            connection.execute(_SCHEMA)
            connection.execute(f"PRAGMA user_version={VERSION}")
            connection.execute(f"PRAGMA application_id={APPLICATION}")


def _check(connection: sqlite3.Connection) -> None:
    """Raise Damage unless the file is a store of this version in good order."""
    version = _number(connection, "user_version")
    if version != VERSION:
        # The first version had no number.
        raise Damage(f"of version {version or 1}, not {VERSION}", f"v{version or 1}")
    problem = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if problem != b"ok":
        raise Damage(f"damaged ({problem.decode('utf-8', 'replace').splitlines()[-1]})")
    connection.execute(f"SELECT {FIELDS} FROM verdicts LIMIT 1").fetchall()


def _tables(connection: sqlite3.Connection) -> set[bytes]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file is to blame, not the disk or another process."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    # Our statements and values are right: if a table or a column is missing, or forbids them, it is damaged.
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CONSTRAINT) or "no such" in str(error)


def mistake(path: Path, error: sqlite3.Error | OSError) -> UserError:
    """What to tell the user about ``error``, and what to do."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    place = f"cannot use verdict store {path}"
    text = getattr(error, "strerror", None) or str(error)
    if path.is_dir():
        return UserError(f"{place}: it is a folder; name a file in it, as {path / 'verdicts.sqlite'}")
    number = getattr(error, "errno", 0)
    full = code == sqlite3.SQLITE_FULL or number in (errno.ENOSPC, errno.EDQUOT)
    if not full and (code == sqlite3.SQLITE_READONLY or number in _FORBIDDEN or _is_read_only(path.parent)):
        return UserError(f"{place}: {text}; name a file that can be written with --verdict-store")
    if full or _has_no_room(path.parent):
        return UserError(f"{place}: the disk is full; free some space and run again: every finished verdict is kept")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return UserError(f"{place}: another process has kept it locked for {WAIT:g} seconds; end it and run again")
    return UserError(f"{place}: {text}; check the disk and its permissions, or name another with --verdict-store")


def _is_read_only(folder: Path) -> bool:
    return folder.is_dir() and not os.access(folder, os.W_OK)


def _has_no_room(folder: Path) -> bool:
    """Whether there is no room even for the file that SQLite shares between processes."""
    try:
        status = os.statvfs(folder)
    except (OSError, AttributeError):
        return False
    return status.f_bavail * status.f_frsize < 64 * 1024
