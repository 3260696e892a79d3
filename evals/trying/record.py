"""What was seen, kept as it is seen: a conversation a line, ready to be read, mended and learned from."""

from __future__ import annotations

import os
from pathlib import Path

from evals.candidates.base import Answered
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import jsonl
from fixtures.conversations.rows import ChatRow

__all__ = ["Record"]


class Record:
    """Adds to the file ``path``, or to nothing if that is None. Raises UserError."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        if path is not None:
            # Better before the first answer than after it.
            self._write("")

    def add(self, candidate: str, row: ChatRow, answered: Answered, seed: int | None) -> None:
        """Write an answer; a row without one is left out. ``seed``: of the sampling, if there was any."""
        if self._path is None or answered.text is None:
            return
        kept = {"messages": [*row.messages, {"role": "assistant", "content": answered.text}]}
        if row.tools:
            kept["tools"] = list(row.tools)
        about = {
            "candidate": candidate,
            "seed": seed,
            "reference": row.reference or None,
            "finish_reason": answered.finish_reason,
            "tokens_in": answered.tokens_in,
            "tokens_out": answered.tokens_out,
            "seconds": answered.seconds,
        }
        self._write(jsonl([kept | {key: value for key, value in about.items() if value is not None}]))

    def _write(self, line: str) -> None:
        assert self._path is not None
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise UserError(f"cannot write --save {self._path}: {error.strerror or error}") from error
