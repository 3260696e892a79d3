"""Judging: each distinct pair once, many at a time, every finished verdict kept.

A `Jury` lives from the preflight to the last verdict, in one event loop, so that
the connections of the one serve the other.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

from evals.judges.answers import MalformedAnswer
from evals.judges.asking import Examined, Interview
from evals.judges.base import Judge, JudgeFailure, Judgement, JudgeUnavailable
from evals.judges.ledger import Ledger, OutOfBudget, Usage
from evals.judges.preflight import describe, estimate
from evals.judges.probes import CONTROL, PROBES, Probed, probe_results
from evals.judges.secrets import masked
from evals.metrics.base import Metric
from evals.metrics.category_precision import category_precision
from evals.progress import Judged, RunningCount
from evals.seats import Seat, in_random_order
from evals.settings import Settings
from evals.verdicts import Asked, Verdict, VerdictStore
from evals.votes import PairVerdict, Vote, count_votes
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import printable

__all__ = ["Judging", "Jury", "Stage"]

_FAILURES_IN_A_ROW = 10
T = TypeVar("T")
Stage = Callable[[str, int], Callable[[Judged], Any]]
"""Opens a stage of ``n`` pairs with a title; what it returns is told how far it is, in the end that all are done."""


@dataclass(frozen=True)
class Judging:
    """Verdicts by pair, and what they cost this run."""

    verdicts: dict[Judgement, PairVerdict]
    usage: Usage
    seconds: float
    stopped: str | None
    """Why no more questions were asked, if so."""
    interrupted: bool
    """Whether that was Ctrl-C; whoever wanted the verdicts has to heed it."""


class Jury:
    """The judges of one run with their store, and the metrics they are asked for.

    Without ``metrics`` that is CategoryPrecision. A context manager; not for several threads.
    """

    def __init__(
        self, judges: Sequence[Judge], store: VerdictStore, settings: Settings, metrics: Sequence[Metric] = ()
    ) -> None:
        self.judges = tuple(judges)
        self.metrics = tuple(metrics) or (category_precision(settings.threshold),)
        self.ledger = Ledger(
            price_in=settings.judge_price_in,
            price_out=settings.judge_price_out,
            max_calls=settings.max_calls,
            max_cost=settings.max_cost,
        )
        self._store = store
        self._settings = settings
        self._metrics = {metric.name: metric for metric in self.metrics}
        self._interviews = {
            judge.spec: Interview(judge, self.ledger, score_mode=settings.score_mode, retries=settings.answer_retries)
            for judge in judges
        }
        self._runner = asyncio.Runner()
        self._stopped: str | None = None
        self._interrupted = False
        self._failures = 0

    def __enter__(self) -> Jury:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async def close() -> None:
            for judge in self.judges:
                await judge.close()

        self._run(close())
        self._runner.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    # -- before any work ---------------------------------------------------

    def seats(self, judgements: Iterable[Judgement], repeats: Iterable[int]) -> list[Seat]:
        """All votes on ``judgements``, each distinct pair once."""
        times = tuple(repeats)
        return [
            Seat(judge, judgement, repeat)
            for judgement in dict.fromkeys(judgements)
            for judge in self.judges
            for repeat in times
        ]

    def missing(self, judgements: Iterable[Judgement]) -> list[Seat]:
        """The votes on ``judgements`` that the store does not have."""
        seats = self.seats(judgements, range(self._settings.repeats))
        stored = self._store.get_many(self._asked(seat) for seat in seats)
        return [seat for seat in seats if self._asked(seat).key not in stored]

    def preflight(self, say: Callable[[str], None]) -> dict[str, Examined]:
        """Ask each LLM one known question, and ``say`` what was seen.

        Raises UserError if one cannot judge at all.
        """
        found = {}
        for judge in self.judges:
            if not judge.is_llm:
                continue
            try:
                examined = self._run(self._interviews[judge.spec].examine(self.metrics[0]))
            except (JudgeFailure, OutOfBudget) as error:
                raise UserError(f"--judge {judge.spec}: {_said(error)}") from error
            if self._settings.score_mode == "weighted" and not examined.capabilities.logprobs:
                raise UserError(f"--judge {judge.spec} gives no logprobs, which --score-mode weighted needs; use raw")
            for line in describe(judge.spec, examined):
                say(line)
            found[judge.spec] = examined
        return found

    def estimate(self, judgements: Iterable[Judgement]) -> str:
        """What judging would need, in words; nobody is asked."""
        seats = self.seats(judgements, range(self._settings.repeats))
        missing = self.missing(seat.judgement for seat in seats)
        return estimate(
            len(seats), [self._metric(seat.judgement).prompt(seat.judgement) for seat in missing], self._settings
        )

    # -- the work ----------------------------------------------------------

    def judge(self, judgements: Iterable[Judgement], stage: Stage) -> Judging:
        """Verdicts on all distinct ``judgements``, from the store where it has them.

        A pair whose judge fails is unscored. ``stage`` opens a display of
        progress. Raises UserError when the store cannot be written.
        """
        started = time.perf_counter()
        settings = self._settings
        samples = Counter(judgements)
        pairs = list(samples)
        votes = self._collect(self.seats(pairs, range(settings.repeats)), stage, "judging", samples)
        verdicts = {pair: count_votes(votes[pair]) for pair in pairs}
        failing = [
            pair
            for pair, verdict in verdicts.items()
            if verdict.score is not None and verdict.score < self._metric(pair).threshold
        ]
        confirmations: dict[Judgement, list[Vote]] = {}
        if settings.confirm_failures and failing and not self._interrupted:
            seats = self.seats(failing, range(1, settings.confirm_failures + 1))
            confirmations = self._collect(seats, stage, "judging failures again", {})
        return Judging(
            {
                pair: PairVerdict(verdicts[pair], tuple(votes[pair]), tuple(confirmations.get(pair, ())))
                for pair in pairs
            },
            self.ledger.usage(),
            time.perf_counter() - started,
            self._stopped,
            self._interrupted,
        )

    def probe(self, stage: Stage) -> Probed:
        """Try to mislead the judges by the built-in probes, which are about CategoryPrecision."""
        pairs = [CONTROL, *(probe.judgement for probe in PROBES)]
        votes = self._collect(self.seats(pairs, [0]), stage, "probing the judge", {})
        if self._interrupted:
            raise KeyboardInterrupt
        verdicts = [count_votes(votes[pair]) for pair in pairs]
        scores = [(verdict.score, verdict.error) for verdict in verdicts]
        return probe_results(scores[1:], scores[0][0], self._metric(CONTROL).threshold)

    def _collect(
        self, seats: Sequence[Seat], stage: Stage, title: str, samples: Mapping[Judgement, int]
    ) -> dict[Judgement, list[Vote]]:
        """Votes by pair; the pass rate so far counts the ``samples`` of each."""
        due = Counter(seat.judgement for seat in seats)
        count = RunningCount(due, samples, threshold=lambda pair: self._metric(pair).threshold)
        show = stage(title, len(due))
        stored = self._store.get_many(self._asked(seat) for seat in seats)
        found = {seat: stored[key] for seat in seats if (key := self._asked(seat).key) in stored}
        self.ledger.cache_hits += len(found)
        for seat, verdict in found.items():
            count.found(seat.judgement)
            count.add(seat.judgement, _vote_of(seat, verdict))
        show(self._snapshot(count))
        todo = in_random_order([seat for seat in seats if seat not in found])
        if todo:
            try:
                self._run(self._vote_all(todo, found, count, show))
            except KeyboardInterrupt:
                # A report shall tell what was found out until now.
                self._interrupted, self._stopped = True, "the run was interrupted"
                found |= {seat: self._not_asked() for seat in todo if seat not in found}
        votes: dict[Judgement, list[Vote]] = {}
        for seat in seats:
            votes.setdefault(seat.judgement, []).append(_vote_of(seat, found[seat]))
        return votes

    async def _vote_all(
        self,
        seats: Sequence[Seat],
        found: dict[Seat, Verdict],
        count: RunningCount,
        show: Callable[[Judged], Any],
    ) -> None:
        """Each judge works through its seats, as many at a time as it takes."""

        async def work(queue: Iterator[Seat]) -> None:
            for seat in queue:
                found[seat] = await self._vote(seat, count)
                count.add(seat.judgement, _vote_of(seat, found[seat]))
                show(self._snapshot(count))

        try:
            async with asyncio.TaskGroup() as tasks:
                for judge in self.judges:
                    queue = iter([seat for seat in seats if seat.judge is judge])
                    for _ in range(judge.concurrency):
                        tasks.create_task(work(queue))
        except ExceptionGroup as group:
            # Only the store raises here (a judge's failure is a verdict); the first one tells it all.
            mistakes, _ = group.split(UserError)
            if mistakes is None:
                raise
            raise mistakes.exceptions[0] from group

    async def _vote(self, seat: Seat, count: RunningCount) -> Verdict:
        if self._stopped is not None:
            return self._not_asked()
        asked = self._asked(seat)
        # Another process on this store may have been faster.
        if (stored := self._store.get(asked)) is not None:
            self.ledger.cache_hits += 1
            count.found(seat.judgement)
            return stored
        try:
            paid = await self._interviews[seat.judge.spec].measure(
                self._metric(seat.judgement), seat.judgement, seat.repeat
            )
        except OutOfBudget as error:
            self._stopped = str(error)
            return self._not_asked()
        except MalformedAnswer as error:
            count.failed()
            self._failed(seat.judge, error)
            return Verdict(None, "", f"malformed answer: {_said(error)}", printable(masked(error.raw))[:10_000])
        except JudgeFailure as error:
            count.failed()
            self._failed(seat.judge, error)
            return Verdict(None, "", _said(error))
        self._failures = 0
        count.answered(paid.seconds)
        return await self._store.aput(asked, paid)

    def _not_asked(self) -> Verdict:
        return Verdict(None, "", f"not asked: {self._stopped}")

    def _snapshot(self, count: RunningCount) -> Judged:
        priced = self._settings.judge_price_in > 0 or self._settings.judge_price_out > 0
        return count.snapshot(cost=self.ledger.cost if priced else None)

    def _failed(self, judge: Judge, error: Exception) -> None:
        """The circuit breaker: a judge that is down is not asked hundreds of times more."""
        self._failures += 1
        if isinstance(error, JudgeUnavailable):
            self._stopped = self._stopped or f"judge {judge.spec}: {_said(error)}"
        elif self._failures >= _FAILURES_IN_A_ROW:
            self._stopped = self._stopped or (
                f"judge {judge.spec} failed {self._failures} times in a row, at last: {_said(error)}"
            )

    def _asked(self, seat: Seat) -> Asked:
        metric = self._metric(seat.judgement).fingerprint
        return Asked(seat.judge.identity, metric, self._settings.score_mode, seat.judgement, seat.repeat)

    def _metric(self, judgement: Judgement) -> Metric:
        return self._metrics[judgement.metric]


def _vote_of(seat: Seat, verdict: Verdict) -> Vote:
    return Vote(seat.judge.spec, seat.repeat, verdict)


def _said(error: Exception) -> str:
    return printable(masked(" ".join(str(error).split())))[:1000]
