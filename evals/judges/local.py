"""``hf:PATH_OR_ID``: a causal language model of Hugging Face in this process.

Nothing heavy happens before the first question: a run that the verdict store
answers wholly never imports PyTorch. Questions that wait are answered as one
batch in a thread, so the event loop stays free.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evals.judges.base import Capabilities, JudgeFailure, JudgeUnavailable, Question, Reply
from evals.judges.checkpoints import Checkpoint, find_checkpoint
from evals.settings import JudgeSettings

if TYPE_CHECKING:
    from evals.judges.generation import LocalModel

__all__ = ["LocalJudge", "open_local_judge"]

BATCH = 8
"""Questions answered together unless --judge-concurrency says otherwise."""
LINGER = 0.02
"""Seconds without a new question after which a batch sets out: tasks whose answers came together ask together."""
DECODING = 1
"""Version of how answers are drawn; verdicts of another one are not re-used."""


def open_local_judge(spec: str, settings: JudgeSettings) -> LocalJudge:
    """The judge ``spec`` names. Nothing is loaded yet. Raises UserError for what can be seen to fail."""
    return LocalJudge(spec, find_checkpoint(spec, settings), settings)


class LocalJudge:
    """A model that is loaded at the first question and answers in batches."""

    is_llm = True

    def __init__(self, spec: str, checkpoint: Checkpoint, settings: JudgeSettings) -> None:
        self.spec = spec
        self.model = checkpoint.name
        self.concurrency: int = settings.judge_concurrency or BATCH
        self.identity: Mapping[str, Any] = {
            "kind": "hf",
            "model": checkpoint.identity,
            "dtype": checkpoint.dtype,
            "temperature": settings.judge_temperature,
            "max_tokens": settings.judge_max_tokens,
            "constrained": "llguidance",
            "decoding": DECODING,
        }
        self._checkpoint = checkpoint
        self._settings = settings
        self._loaded: LocalModel | None = None
        self._broken = ""
        self._waiting: list[tuple[Question, asyncio.Future[Reply]]] = []
        self._runner: asyncio.Task[None] | None = None
        self._stop = threading.Event()

    async def examine(self, question: Question) -> tuple[Reply, Capabilities]:
        """Load the model, answer ``question``, and tell what was loaded. Raises JudgeFailure."""
        reply = await self.answer(question)
        assert self._loaded is not None
        return reply, Capabilities(self.model, "grammar (llguidance)", logprobs=True, notes=self._loaded.notes)

    async def answer(self, question: Question) -> Reply:
        """The answer, made together with those of others who ask now. Raises JudgeFailure."""
        if self._stop.is_set():
            raise JudgeFailure("the judge is closed")
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        return await future

    async def close(self) -> None:
        """Stop what is being answered, and let go of the model."""
        self._stop.set()
        if self._runner is not None and not self._runner.done():
            await asyncio.wait([self._runner])
        self._loaded = None

    async def _run(self) -> None:
        """Answer batch after batch until nobody waits."""
        while self._waiting:
            await self._gather()
            batch, self._waiting = self._waiting[: self.concurrency], self._waiting[self.concurrency :]
            batch = [(question, future) for question, future in batch if not future.done()]
            if not batch:
                continue
            results: Sequence[Reply | Exception]
            try:
                results = await asyncio.to_thread(self._answer_all, [question for question, _ in batch])
            except asyncio.CancelledError:
                # The thread must not go on for nobody.
                self._stop.set()
                raise
            except Exception as error:  # Whatever it is, those who ask must not wait for ever.
                results = [error] * len(batch)
            for (_, future), result in zip(batch, results, strict=True):
                if future.done():
                    continue
                if isinstance(result, Exception):
                    future.set_exception(result)
                else:
                    future.set_result(result)

    async def _gather(self) -> None:
        """Wait for questions that are on the way."""
        seen = 0
        while seen < len(self._waiting) < self.concurrency:
            seen = len(self._waiting)
            await asyncio.sleep(LINGER)

    def _answer_all(self, questions: Sequence[Question]) -> Sequence[Reply | Exception]:
        """In the thread: load if need be, and answer."""
        if self._stop.is_set():
            raise JudgeFailure("the judge is closed")
        if self._broken:
            raise JudgeUnavailable(self._broken)
        if self._loaded is None:
            from evals.judges.generation import LocalModel

            try:
                self._loaded = LocalModel(
                    self._checkpoint,
                    temperature=self._settings.judge_temperature,
                    max_tokens=self._settings.judge_max_tokens,
                )
            except JudgeUnavailable as error:
                self._broken = str(error)
                raise
        return self._loaded.answer(questions, self._stop)
