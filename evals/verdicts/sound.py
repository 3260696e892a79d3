"""A database file that stays sound under the hands that use it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from evals.verdicts.database import Damage, connect, file_id, is_damage, mistake, prepare
from evals.verdicts.repair import set_aside
from fixtures.contracts.errors import UserError

__all__ = ["SoundFile"]

Result = TypeVar("Result")
# Times that one operation mends the file before it gives up.
_ATTEMPTS = 3


class SoundFile:
    """A connection to a store; damage is mended when opening and whenever it shows.

    ``notices`` says in one line each what was done. Raises UserError when the
    file cannot be opened, read or written.
    """

    def __init__(self, path: Path) -> None:
        # SQLite's log lies beside the file itself, whatever link leads to it.
        self.path = path.resolve()
        self.notices: list[str] = []
        try:
            self._open()
        except (sqlite3.Error, OSError) as error:
            raise mistake(self.path, error) from error

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()

    def reliably(self, work: Callable[[], Result]) -> Result:
        """The result of ``work``, which is done again if the file had to be mended first."""
        try:
            for _ in range(_ATTEMPTS):
                try:
                    self._follow()
                    return work()
                except sqlite3.Error as error:
                    self._mend(error)
                    self._open()
            return work()
        except (sqlite3.Error, OSError) as error:
            raise mistake(self.path, error) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, durably; others wait until it is over."""
        self.connection.execute("BEGIN IMMEDIATE")
        while self._follow():
            self.connection.execute("BEGIN IMMEDIATE")
        with self.connection as connection:
            yield connection

    def _open(self) -> None:
        """Connect to a sound store, whatever lies under its name."""
        for _ in range(_ATTEMPTS):
            self.connection, self._id = connect(self.path)
            try:
                return prepare(self.connection, self.path)
            except BaseException as error:
                self.connection.close()
                if not isinstance(error, (sqlite3.Error, Damage)):
                    raise
                self._mend(error)
        raise UserError(f"verdict store {self.path} is damaged again and again; name another with --verdict-store")

    def _mend(self, error: sqlite3.Error | Damage) -> None:
        """Set the file aside; raises ``error`` if that is not what it needs."""
        if isinstance(error, sqlite3.Error):
            if not is_damage(error):
                raise error
            error = Damage(f"damaged ({error})")
        self.connection.close()
        notice = set_aside(self.path, self._id, error)
        if notice is not None:
            self.notices.append(notice)

    def _follow(self) -> bool:
        """Whether the file has lost its name to another one, which is used from now on.

        Else a verdict could be committed to a file that nobody will open again.
        """
        if file_id(self.path) == self._id:
            return False
        self.connection.close()
        self._open()
        self.notices.append(f"verdict store {self.path} was replaced while in use; the new file is used now")
        return True
