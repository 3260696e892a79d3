"""Asking a judge until it answers with a verdict, a bounded number of times."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Literal

from evals.judges.answers import SCHEMA, Answer, MalformedAnswer, parse_answer, weighted_score
from evals.judges.base import Capabilities, Judge, JudgeFailure, Judgement, Question, Reply
from evals.judges.ledger import Ledger
from evals.judges.secrets import masked
from evals.metrics.base import Metric
from evals.verdicts import Paid
from fixtures.contracts.files import printable

__all__ = ["Examined", "Interview", "ScoreMode"]

ScoreMode = Literal["raw", "weighted"]
LONGEST_RAW = 10_000


@dataclass(frozen=True, slots=True)
class Examined:
    """What a judge was seen to do, and what it answered; ``problem`` if that was no verdict."""

    capabilities: Capabilities
    reply: Reply
    answer: Answer | None
    problem: str | None


class Interview:
    """Questions to one judge, counted in a ledger."""

    def __init__(self, judge: Judge, ledger: Ledger, *, score_mode: ScoreMode, retries: int) -> None:
        self.judge = judge
        self.score_mode = score_mode
        self._ledger = ledger
        self._retries = retries

    async def measure(self, metric: Metric, judgement: Judgement, seed: int) -> Paid:
        """One judgement by ``metric``. Raises JudgeFailure, MalformedAnswer or OutOfBudget."""
        replies: list[Reply] = []

        async def ask(prompt: str) -> Answer:
            question = Question(prompt, judgement, SCHEMA, seed, logprobs=self.score_mode == "weighted")
            return await self._ask(question, replies)

        score, reason = await metric.measure(judgement, ask)
        last = replies[-1]
        return Paid(
            score,
            printable(masked(reason)),
            printable(masked(last.text))[:LONGEST_RAW],
            last.tokens_in,
            last.tokens_out,
            last.seconds,
            last.model or self.judge.model,
        )

    async def _ask(self, question: Question, replies: list[Reply]) -> Answer:
        """The judge is told what is wrong with its answer, and asked again, a bounded number of times."""
        for attempt in range(self._retries + 1):
            reply = await self._counted(question, self.judge.answer)
            replies.append(reply)
            try:
                return self._read(reply)
            except MalformedAnswer as error:
                self._ledger.bad_answers += 1
                if attempt == self._retries:
                    raise
                question = question.corrected(reply.text, str(error))
        raise AssertionError("unreachable")

    async def examine(self, metric: Metric) -> Examined:
        """The metric's known question. Raises JudgeFailure or OutOfBudget."""
        found: list[tuple[Reply, Capabilities]] = []

        async def ask(prompt: str) -> Answer:
            # The logprobs are asked for in any mode: what a judge can do is to be shown.
            question = Question(prompt, metric.known, SCHEMA, 0, logprobs=True)

            async def examine(question: Question) -> Reply:
                found.append(await self.judge.examine(question))
                return found[-1][0]

            return self._read(await self._counted(question, examine, preflight=True))

        try:
            score, reason = await metric.measure(metric.known, ask)
        except MalformedAnswer as error:
            reply, capabilities = found[-1]
            return Examined(capabilities, reply, None, str(error))
        reply, capabilities = found[-1]
        return Examined(capabilities, reply, Answer(score * 10, printable(masked(reason))), None)

    async def _counted(
        self, question: Question, ask: Callable[[Question], Awaitable[Reply]], *, preflight: bool = False
    ) -> Reply:
        self._ledger.reserve(question.prompt)
        reply, requests = None, 1
        try:
            reply = await ask(question)
            requests = reply.requests
        except JudgeFailure as error:
            requests = error.requests
            raise
        finally:
            self._ledger.settle(question.text(), reply, requests=requests, preflight=preflight)
        return reply

    def _read(self, reply: Reply) -> Answer:
        """The verdict in a reply. Raises MalformedAnswer."""
        try:
            answer = parse_answer(reply.text)
        except MalformedAnswer as error:
            if reply.cut:
                raise MalformedAnswer(f"it was cut off at --judge-max-tokens; {error}", error.raw) from error
            raise
        return answer if self.score_mode == "raw" else replace(answer, score=weighted_score(reply))
