"""Verdicts committed together, in a thread, for an event loop that must not stand still.

A commit waits for the disk. On a quiet one that is nothing; on one that others
use, too, it was measured to take 4 ms, during which no other answer could be
received. So the verdicts that come in during one commit share the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from evals.verdicts.records import Verdict
from evals.verdicts.rows import Record

if TYPE_CHECKING:
    from evals.verdicts.store import VerdictStore

__all__ = ["Committer"]


class Committer:
    """Puts verdicts into a store that it opens for itself, in its thread."""

    def __init__(self, open_store: Callable[[], VerdictStore]) -> None:
        self._open_store = open_store
        self._store: VerdictStore | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="verdicts")
        self._waiting: list[tuple[Record, asyncio.Future[Verdict]]] = []
        self._task: asyncio.Task[None] | None = None

    async def put(self, record: Record) -> Verdict:
        """What the store holds, as soon as it is durable. Raises UserError."""
        future: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._waiting.append((record, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write())
        return await future

    def close(self) -> None:
        """Commit what a cancelled event loop left behind, and end the thread."""
        try:
            if self._waiting:
                self._thread.submit(self._commit, [record for record, _ in self._waiting]).result()
        finally:
            if self._store is not None:
                self._thread.submit(self._store.close).result()
            self._thread.shutdown()

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                held = await loop.run_in_executor(self._thread, self._commit, [record for record, _ in batch])
            except asyncio.CancelledError:
                # The thread may not have begun; storing a verdict twice does no harm.
                self._waiting = batch + self._waiting
                raise
            except Exception as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
            else:
                for (_, future), record in zip(batch, held, strict=True):
                    if not future.done():
                        future.set_result(record.verdict)

    def _commit(self, records: list[Record]) -> list[Record]:
        if self._store is None:
            self._store = self._open_store()
        return self._store.add(records)
