"""From outcomes to the `Duel` that all reports are made from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from evals.candidates import Answered, Candidate
from evals.duel.contest import Contest
from evals.duel.figures import by_category, gate_of, places_of, standing_of, tally_of
from evals.duel.model import CandidateInfo, DataInfo, Duel, DuelRow, DuelRun, JudgeOfDuel, OrderRow
from evals.duel.orders import Place, RowResult, place_of
from evals.duel.people import Choice, Said, people_of
from evals.duel.settings import DuelOptions, DuelSettings
from evals.duel.words import sentence_of
from evals.judges import Judge
from evals.metrics.preference import PreferenceMetric
from evals.reports.subject import JudgeMember
from evals.votes import PairVerdict
from fixtures.contracts.files import printable

__all__ = ["duel_of"]


def duel_of(
    contest: Contest,
    results: Sequence[RowResult],
    judges: Sequence[Judge],
    metric: PreferenceMetric,
    settings: DuelSettings,
    options: DuelOptions,
    said: Said | None,
    run: DuelRun,
) -> Duel:
    """Everything about a duel whose rows have their outcomes."""
    confidence = options.confidence
    tally = tally_of(results)
    standing = standing_of(tally.b_wins, tally.a_wins, tally.ties, confidence=confidence)
    people = None
    if said is not None:
        people = people_of(said, {result.row.row.id: result.outcome for result in results}, confidence=confidence)
    places = places_of(results, confidence=confidence)
    asked, gate = standing, gate_of(standing, places, tally.unscored, options)
    if options.decide_by == "people" and people is not None:
        asked, gate = people.standing, gate_of(people.standing, None, 0, options)
    said_of = said.by_row if said is not None else {}
    notes = []
    if contest.copies:
        notes.append(f"{contest.copies} rows of {contest.file.path.name} are copies of earlier ones and left out")
    if run.judging_stopped is not None:
        notes.append(f"judging stopped early: {run.judging_stopped}")
    return Duel(
        sentence=sentence_of(gate, tally, asked, confidence),
        gate=gate,
        a=_candidate(contest.a, [result.row.a for result in results]),
        b=_candidate(contest.b, [result.row.b for result in results]),
        data=DataInfo(
            name=str(contest.file.path),
            digest=contest.file.digest,
            rows=len(contest.file.rows),
            copies=contest.copies,
            drawn=len(contest.drawn),
            seed=settings.seed,
        ),
        judge=JudgeOfDuel(
            spec=settings.judge,
            members=[
                JudgeMember(spec=judge.spec, model=judge.model, is_llm=judge.is_llm, identity=dict(judge.identity))
                for judge in judges
            ],
            metric=metric.name,
            metric_fingerprint=metric.fingerprint,
            score_mode=settings.score_mode,
            repeats=settings.repeats,
            sees_reference=options.reference,
        ),
        confidence=confidence,
        tally=tally,
        standing=standing,
        places=places,
        categories=by_category(results, confidence=confidence),
        people=people,
        rows=[_row(result, said_of.get(result.row.row.id, {})) for result in results],
        notes=notes,
        run=run,
    )


def _candidate(candidate: Candidate, answers: Sequence[Answered]) -> CandidateInfo:
    return CandidateInfo(
        name=candidate.name,
        kind=candidate.kind,
        digest=candidate.digest,
        unanswered=sum(answer.text is None for answer in answers),
        cut=sum(answer.text is not None and answer.finish_reason == "length" for answer in answers),
        notes=list(candidate.notes),
    )


def _row(result: RowResult, people: dict[str, Choice]) -> DuelRow:
    row = result.row
    orders = []
    if result.a_first is not None and result.b_first is not None:
        orders = [_order("A", result.a_first), _order("B", result.b_first)]
    return DuelRow(
        id=row.row.id,
        category=printable(row.row.category),
        question=printable(row.row.question),
        reference=printable(row.row.reference),
        a=None if row.a.text is None else printable(row.a.text),
        b=None if row.b.text is None else printable(row.b.text),
        outcome=result.outcome,
        how=result.how,
        orders=orders,
        error=result.error,
        people=people,
    )


def _order(first: Literal["A", "B"], voted: PairVerdict) -> OrderRow:
    verdict = voted.verdict
    prefers: Literal["A", "B", "neither"] | None = None
    if verdict.score is not None:
        second: Literal["A", "B"] = "B" if first == "A" else "A"
        by_place: dict[Place, Literal["A", "B", "neither"]] = {"first": first, "second": second, "neither": "neither"}
        prefers = by_place[place_of(verdict.score)]
    return OrderRow(
        first=first,
        score=verdict.score,
        prefers=prefers,
        reason=verdict.reason,
        error=verdict.error,
        scores=voted.scores if len(voted.votes) > 1 else [],
    )
