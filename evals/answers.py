"""Where tests get their samples and verdicts from: the session itself, or the files it wrote for xdist's workers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from evals.verdicts import Verdict
from fixtures.datasets import Document

__all__ = ["Answer", "Answers", "WorkerAnswers"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a test needs to know of its sample."""

    predicted: str
    verdict: Verdict


class Answers(Protocol):
    """Where tests get their samples and verdicts from, in either kind of process."""

    def drawn(self) -> Sequence[Document]:
        """The drawn documents, in order."""

    def answer(self, sample_id: str) -> Answer:
        """The answer to a selected sample."""

    def threshold(self) -> float:
        """The score from which a sample passes."""


class WorkerAnswers:
    """An xdist worker's view: files that the controller wrote."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def drawn(self) -> Sequence[Document]:
        """The documents that the controller drew."""
        return [Document(**row) for row in _rows(self._folder / "drawn.jsonl")]

    def answer(self, sample_id: str) -> Answer:
        """An answer, written before any test was scheduled."""
        return self._answers[sample_id]

    def threshold(self) -> float:
        """As the controller validated it."""
        return float((self._folder / "threshold").read_text())

    @cached_property
    def _answers(self) -> dict[str, Answer]:
        rows = _rows(self._folder / "answers.jsonl")
        return {row["id"]: Answer(row["predicted"], Verdict(**row["verdict"])) for row in rows}


def _rows(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]
