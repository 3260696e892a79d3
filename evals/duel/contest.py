"""The rows of a contest: questions drawn from a file, and what both candidates answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.candidates import Answered, Candidate, open_candidates
from evals.duel.settings import DuelSettings
from evals.judges.base import Judgement
from evals.judges.comparisons import Comparison
from evals.samples import draw
from fixtures.contracts.errors import UserError
from fixtures.conversations.rows import ChatRow, ChatRows, rows_of

__all__ = ["Contest", "ContestRow", "asked_of", "contest_of", "open_contest"]


@dataclass(frozen=True)
class ContestRow:
    """A question with both answers. ``shows_reference``: to the judge."""

    row: ChatRow
    a: Answered
    b: Answered
    shows_reference: bool

    @property
    def missing(self) -> str | None:
        """Why there is nothing to compare, if so: it is no bad answer, and no tie."""
        failed = [(name, answered) for name, answered in (("A", self.a), ("B", self.b)) if answered.text is None]
        return "; ".join(f"{name} gave no answer: {answered.error}" for name, answered in failed) or None

    @property
    def identical(self) -> bool:
        """Whether no judge is needed to see that neither answer is better."""
        return self.a.text is not None and self.b.text is not None and self.a.text.strip() == self.b.text.strip()

    @property
    def judgements(self) -> tuple[Judgement, Judgement]:
        """A's answer first, and B's answer first."""
        reference = self.row.reference if self.shows_reference else None
        comparison = Comparison(self.row.question, self.a.text or "", self.b.text or "", reference)
        return comparison.judgement, comparison.exchanged.judgement


@dataclass(frozen=True)
class Contest:
    """Two candidates and the rows they are to answer; nobody was asked yet."""

    a: Candidate
    b: Candidate
    file: ChatRows
    copies: int
    """Rows of the file that are the same as earlier ones."""
    drawn: list[ChatRow]

    @property
    def answered(self) -> bool:
        """Whether both candidates' answers lie there already."""
        return self.a.kind == self.b.kind == "answers"


def open_contest(a: str, b: str, data: Path, settings: DuelSettings) -> Contest:
    """Open and check all that the answers need. Raises UserError before anybody is asked."""
    file = rows_of(data)
    # A copy is judged like its original: counted again, it would make the result look surer than it is.
    distinct = list({row.digest: row for row in reversed(file.rows)}.values())[::-1]
    one, other = open_candidates([a, b], settings)
    if one.digest == other.digest:
        raise UserError(f"A ({a}) and B ({b}) are one and the same candidate (digest {one.digest[:12]}): name two")
    drawn = draw(distinct, settings.num_samples, seed=settings.seed)
    return Contest(one, other, file, len(file.rows) - len(distinct), drawn)


def contest_of(
    contest: Contest, *, reference: bool, progress: Callable[[int], Callable[[int], Any]]
) -> list[ContestRow]:
    """Have all drawn rows answered by both. ``progress`` opens a stage of so many rows. Raises UserError."""
    answers: list[dict[str, Answered]] = []
    for candidate in (contest.a, contest.b):
        told = progress(len(contest.drawn))
        answers.append(candidate.answer(contest.drawn, known=contest.file.rows, progress=told))
    return [ContestRow(row, answers[0][row.id], answers[1][row.id], reference) for row in contest.drawn]


def asked_of(rows: Sequence[ContestRow]) -> list[Judgement]:
    """What the judge has to be asked: both orders of every row that needs it."""
    return [judgement for row in rows if row.missing is None and not row.identical for judgement in row.judgements]
