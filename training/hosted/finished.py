"""Answers that are paid for, on disk before they count: ``finished.jsonl``.

The first line says what was asked for (model, service, sampling); each further
line is an answer. A run that was killed leaves at most half a line, which is
cut off when the next one opens the file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import ValidationError

from fixtures.contracts.errors import UserError
from fixtures.contracts.files import jsonl
from training.hosted.asking import Answer

__all__ = ["FINISHED", "Finished", "open_finished"]

FINISHED = "finished.jsonl"


class Finished:
    """The answers so far, by the digest of their row; `add` makes one durable."""

    def __init__(self, file: BinaryIO, answers: dict[tuple[str, str], Answer]) -> None:
        self._file = file
        self.answers = answers

    def add(self, answer: Answer) -> None:
        """Write it, through to the disk."""
        _append(self._file, answer.model_dump())
        self.answers[answer.id, answer.digest] = answer


@contextmanager
def open_finished(folder: Path, asked: Mapping[str, Any]) -> Iterator[Finished]:
    """The answers in ``folder``. Raises UserError if they were ``asked`` of another model, or otherwise."""
    path = folder / FINISHED
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            yield Finished(file, _read(file, path, asked))
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error


def _read(file: BinaryIO, path: Path, asked: Mapping[str, Any]) -> dict[tuple[str, str], Answer]:
    file.seek(0)
    data = file.read()
    if not data.endswith(b"\n"):
        data = data[: data.rfind(b"\n") + 1]
        file.truncate(len(data))
    # Not splitlines: an answer may hold other line separators, which JSON leaves as they are.
    lines = data.split(b"\n")[:-1]
    if not lines:
        _append(file, {"asked": dict(asked)})
        return {}
    try:
        before = json.loads(lines[0])["asked"]
        answers = [Answer.model_validate_json(line) for line in lines[1:]]
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise UserError(f"{path} is damaged; move it away to record anew: {error}") from error
    differ = [key for key in {**before, **asked} if before.get(key) != asked.get(key)]
    changed = [f"{key}: {before.get(key)} then, {asked.get(key)} now" for key in differ]
    if changed and answers:
        raise UserError(f"{path} holds answers to another recording; give another --save-to\n  " + "\n  ".join(changed))
    if changed:
        # Nobody has answered yet: a model that was misspelt, say, is no other recording.
        file.truncate(0)
        _append(file, {"asked": dict(asked)})
    return {(answer.id, answer.digest): answer for answer in answers}


def _append(file: BinaryIO, row: Mapping[str, Any]) -> None:
    file.write(jsonl([row]).encode())
    file.flush()
    os.fsync(file.fileno())
