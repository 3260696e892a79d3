"""Answers that some system gave earlier, from a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evals.candidates.base import Answered
from fixtures.contracts.files import sha256_file, sha256_text
from fixtures.conversations.answers import ANSWERS, read_answers
from fixtures.conversations.rows import ChatRow

__all__ = ["AnswersFile"]


class AnswersFile:
    """See `evals.candidates.base.Candidate`. ``name`` is the file, or the folder it is in."""

    kind = "answers"
    notes: Sequence[str] = ()

    def __init__(self, name: str) -> None:
        self.name = name
        self._path = Path(name)
        file = self._path / ANSWERS if self._path.is_dir() else self._path
        self.identity: Mapping[str, Any] = {"kind": self.kind, "answers": sha256_file(file)}

    @property
    def digest(self) -> str:
        """Of the file."""
        return sha256_text(self.identity["answers"])

    def answer(
        self, rows: Sequence[ChatRow], *, known: Sequence[ChatRow] | None = None, progress: Callable[[int], Any]
    ) -> dict[str, Answered]:
        """The file's answers to ``rows``. Raises UserError with all that is wrong with the file."""
        answers = read_answers(self._path, known if known is not None else rows, rows)
        progress(len(rows))
        return {name: Answered(text) for name, text in answers.items()}
