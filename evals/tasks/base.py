"""What the flow of an evaluation asks of a task: samples, answers, what to judge of them, and rows for the report.

Everything around it is the same for all tasks: the draw into shards, the jury,
the store, the gate, the reports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from evals.answers import Answer
    from evals.judges import Judgement
    from evals.metrics.base import Metric
    from evals.progress import Judged
    from evals.reports.rows import PairKey, SampleRow
    from evals.reports.subject import DatasetInfo, JudgeInfo, ModelInfo, TaskName
    from evals.verdicts import Verdict

__all__ = ["Answered", "Display", "Item", "Sample", "State", "Task", "state_of"]

State = Literal["passed", "failed", "unscored"]


@dataclass(frozen=True, slots=True)
class Item:
    """A drawn sample before it is answered; ``digest`` tells whether two reports are about the same."""

    id: str
    category: str
    digest: str
    input: str
    """What is answered."""
    expected: str

    @property
    def label(self) -> str:
        """What the draw is in proportion to."""
        return self.category


@dataclass(frozen=True, slots=True)
class Sample:
    """A judged sample: what its test asserts, and its row in the report."""

    answer: Answer
    row: SampleRow


class Display(Protocol):
    """Where an evaluation shows what it is doing."""

    def say(self, line: str) -> None:
        """Show a line."""

    def predicting(self, total: int) -> Callable[[int], Any]:
        """Open a stage of ``total`` answers; what it returns is told of how many more there are."""

    def stage(self, title: str, total: int) -> Callable[[Judged], Any]:
        """See `evals.judging.Stage`."""


class Answered(Protocol):
    """The answers to selected samples."""

    def judgements(self, item: Item) -> Sequence[Judgement]:
        """What a judge is to be asked of the answer to ``item``."""
        ...

    def sample(self, item: Item, verdicts: Mapping[Judgement, Verdict]) -> Sample:
        """``item`` with the verdicts on its judgements."""
        ...


class Task(Protocol):
    """What is evaluated. Made with all inputs open and checked; nothing is answered yet."""

    @property
    def name(self) -> TaskName:
        """As the report calls it."""
        ...

    @property
    def test(self) -> str:
        """The file of its test, in ``evals``."""
        ...

    @property
    def drawn(self) -> Sequence[Item]:
        """All drawn samples, in order."""
        ...

    @property
    def metrics(self) -> Sequence[Metric]:
        """What judges are asked for; the preflight asks for the first."""
        ...

    @property
    def dataset(self) -> DatasetInfo:
        """For the report."""
        ...

    @property
    def model(self) -> ModelInfo:
        """For the report."""
        ...

    @property
    def judge(self) -> JudgeInfo:
        """For the report."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """Lines that a user should read before the run."""
        ...

    def introduction(self) -> str:
        """Who answers what, in a line."""
        ...

    def possible(self, items: Sequence[Item]) -> Iterable[Judgement]:
        """All judgements that may be due, as far as that can be known before the answers."""
        ...

    def answer(self, items: Sequence[Item], display: Display) -> Answered:
        """Have ``items`` answered. Raises UserError."""
        ...

    def pair(self, judgement: Judgement) -> PairKey:
        """``judgement`` as rows of the report name it."""
        ...


def state_of(scores: Iterable[tuple[float | None, float]]) -> State:
    """What (score, threshold) of all metrics make of a sample: it passes if every one reaches its threshold.

    It is unscored if any verdict is missing, also beside a score that is too
    low. Where a judge fails must not decide which samples count: if those with a
    low score counted and those with a high one did not, the rate would fall with
    every failure of the judge.
    """
    known = list(scores)
    if any(score is None for score, _ in known):
        return "unscored"
    return "passed" if all(score is not None and score >= threshold for score, threshold in known) else "failed"
