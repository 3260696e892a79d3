"""Judging: each distinct pair once, several at a time, every finished one kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from deepeval.metrics import GEval
from deepeval.models import DeepEvalBaseLLM
from deepeval.test_case import LLMTestCase

from evals.judges import Judge, Judgement
from evals.judges.base import Answer, MalformedAnswer, parse_answer
from evals.metrics import category_precision, metric_fingerprint
from evals.verdicts import Verdict, VerdictStore, verdict_key
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import printable

__all__ = ["Judging", "judge_pairs"]


@dataclass(frozen=True)
class Judging:
    """Verdicts by pair, and what they cost this run."""

    verdicts: dict[Judgement, Verdict]
    metric_fingerprint: str
    calls: int
    cache_hits: int
    seconds: float


class _GEvalModel(DeepEvalBaseLLM):
    """The model GEval talks to: passes the prompt to the judge, checks the answer.

    One instance serves one judgement, so that the judge knows what is asked.
    """

    def __init__(self, judge: Judge, judgement: Judgement) -> None:
        self.judge = judge
        self.judgement = judgement
        self.answer: Answer | None = None
        super().__init__(judge.model)

    def load_model(self) -> Any:
        return self

    def get_model_name(self) -> str:
        return self.judge.model

    def generate(self, prompt: str, schema: Any = None) -> Any:
        raise NotImplementedError("judging is asynchronous")

    async def a_generate(self, prompt: str, schema: Any = None) -> Any:
        self.answer = parse_answer(await self.judge.answer(prompt, self.judgement))
        return schema(reason=self.answer.reason, score=self.answer.score)


def judge_pairs(
    judgements: Iterable[Judgement],
    judge: Judge,
    store: VerdictStore,
    *,
    threshold: float,
    concurrency: int,
    progress: Callable[[int], Any],
) -> Judging:
    """Verdicts on all distinct ``judgements``, from the store where it has them.

    A judge that fails leaves its pair unscored and is not asked again in this
    run. ``progress`` is told the number of pairs that got their verdict. Raises
    UserError when the store cannot be written.
    """
    started = time.perf_counter()
    pairs = list(dict.fromkeys(judgements))
    fingerprint = metric_fingerprint(_metric(judge, Judgement("", ""), threshold))
    keys = {pair: verdict_key(judge.identity, fingerprint, pair) for pair in pairs}
    verdicts = {pair: stored for pair in pairs if (stored := store.get(keys[pair])) is not None}
    hits = len(verdicts)
    progress(hits)
    todo = [pair for pair in pairs if pair not in verdicts]

    async def judge_one(pair: Judgement, gate: asyncio.Semaphore) -> None:
        async with gate:
            verdicts[pair] = await _measure(judge, pair, threshold, store, keys[pair])
            progress(1)

    async def judge_all() -> None:
        gate = asyncio.Semaphore(concurrency)
        async with asyncio.TaskGroup() as tasks:
            for pair in todo:
                tasks.create_task(judge_one(pair, gate))

    if todo:
        _run(judge_all(), todo)
    return Judging(verdicts, fingerprint, len(todo), hits, time.perf_counter() - started)


def _run(coroutine: Any, todo: Sequence[Judgement]) -> None:
    try:
        asyncio.run(coroutine)
    except ExceptionGroup as group:
        # Only the store raises here (a judge's failure is a verdict); the first one tells it all.
        mistakes, _ = group.split(UserError)
        if mistakes is None:
            raise
        raise mistakes.exceptions[0] from group


def _metric(judge: Judge, pair: Judgement, threshold: float) -> GEval:
    return category_precision(_GEvalModel(judge, pair), threshold=threshold)


async def _measure(judge: Judge, pair: Judgement, threshold: float, store: VerdictStore, key: str) -> Verdict:
    model = _GEvalModel(judge, pair)
    metric = category_precision(model, threshold=threshold)
    case = LLMTestCase(input="", actual_output=pair.actual, expected_output=pair.expected)
    try:
        await metric.a_measure(case, _show_indicator=False)
    except MalformedAnswer as error:
        return Verdict(None, "", f"malformed answer: {printable(str(error))}", printable(error.raw)[:10_000])
    except Exception as error:  # Whatever a judge raises is its failure, never the sample's.
        return Verdict(None, "", printable(f"{type(error).__name__}: {error}")[:1000])
    answer = model.answer
    if answer is None:
        return Verdict(None, "", "GEval never asked the judge")
    return store.put(key, answer.score, answer.reason, answer.raw)
