"""Where tests get their samples and verdicts from: the session itself, or the files it wrote for xdist's workers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from evals.tasks.base import Item
from evals.verdicts import Verdict
from fixtures.contracts.files import write_jsonl

__all__ = ["Answer", "Answers", "Scored", "WorkerAnswers", "write_answers", "write_draw"]

_TEST, _DRAWN, _ANSWERS = "test", "drawn.jsonl", "answers.jsonl"


@dataclass(frozen=True, slots=True)
class Scored:
    """What a metric says of one answer, and the score from which that is a pass."""

    metric: str
    threshold: float
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Answer:
    """What a test needs to know of its sample: the answer, and the verdict of each metric."""

    predicted: str
    scores: tuple[Scored, ...]


class Answers(Protocol):
    """Where tests get their samples and verdicts from, in either kind of process."""

    def test(self) -> str:
        """The file, in this folder, of the one test that is run."""

    def drawn(self) -> Sequence[Item]:
        """The drawn samples, in order."""

    def answer(self, sample_id: str) -> Answer:
        """The answer to a selected sample."""


class WorkerAnswers:
    """An xdist worker's view: files that the controller wrote."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def test(self) -> str:
        """As the controller chose it."""
        return (self._folder / _TEST).read_text(encoding="utf-8")

    def drawn(self) -> Sequence[Item]:
        """The samples that the controller drew."""
        return [Item(**row) for row in _rows(self._folder / _DRAWN)]

    def answer(self, sample_id: str) -> Answer:
        """An answer, written before any test was scheduled."""
        return self._answers[sample_id]

    @cached_property
    def _answers(self) -> dict[str, Answer]:
        return {
            row["id"]: Answer(
                row["predicted"],
                tuple(Scored(**score | {"verdict": Verdict(**score["verdict"])}) for score in row["scores"]),
            )
            for row in _rows(self._folder / _ANSWERS)
        }


def write_draw(folder: Path, test: str, drawn: Sequence[Item]) -> None:
    """Write what `WorkerAnswers` reads while it collects."""
    (folder / _TEST).write_text(test, encoding="utf-8")
    write_jsonl(folder / _DRAWN, map(asdict, drawn))


def write_answers(folder: Path, answers: Mapping[str, Answer]) -> None:
    """Write what `WorkerAnswers` reads while its tests run."""
    write_jsonl(folder / _ANSWERS, ({"id": key, **asdict(answer)} for key, answer in answers.items()))


def _rows(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]
