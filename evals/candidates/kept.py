"""Answers kept as they come: a run that is killed has lost none that was finished.

A line an answer, by the digest of its row. The file belongs to one candidate,
by everything that can change its answers.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from evals.candidates.base import Answered
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import jsonl

__all__ = ["KeptAnswers"]

_KEYS = ("text", "finish_reason", "tokens_in", "tokens_out", "seconds")


class KeptAnswers:
    """The answers in ``path``, by row digest; open for more inside ``with``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers = _read(path)

    def __enter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a", encoding="utf-8")
        except OSError as error:
            raise self._unwritable(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def keep(self, digest: str, answered: Answered) -> None:
        """Write an answer, so that not even a power cut loses it. Raises UserError."""
        self.answers[digest] = answered
        row = {"digest": digest} | {key: getattr(answered, key) for key in _KEYS}
        try:
            self._file.write(jsonl([row]))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> UserError:
        return UserError(f"cannot write {self.path}: {error.strerror or error}")


def _read(path: Path) -> dict[str, Answered]:
    """A line torn by a kill is cut off; any other damage is an error: what else is wrong cannot be known."""
    if not path.is_file():
        return {}
    try:
        data = path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            os.truncate(path, len(whole))
        rows = [json.loads(line) for line in whole.splitlines()]
        return {row["digest"]: Answered(**{key: row[key] for key in _KEYS}) for row in rows}
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"the kept answers in {path} are damaged; delete it, and the candidate answers anew") from error
