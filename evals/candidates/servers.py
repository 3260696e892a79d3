"""Models behind a server: asked concurrently, as much as it bears, repeated where that helps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from pydantic import SecretStr

from evals.candidates.base import Answered, Finished
from evals.candidates.chat_wire import Dialect, Ollama, OpenAI
from evals.candidates.settings import CandidateSettings
from evals.candidates.specs import CandidateSpec
from evals.judges.base import JudgeFailure
from evals.judges.concessions import Concessions
from evals.judges.ollama import default_url
from evals.judges.openai import default_openai_url
from evals.judges.transport import Rejected, Response, Transport
from evals.judges.wire import same_model
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import printable
from fixtures.conversations.rows import ChatRow

__all__ = ["Server", "open_server"]

REFUSALS = 3
"""Rows refused in the same words, and none answered before, after which nobody asks on."""


def open_server(spec: CandidateSpec, key: SecretStr | None, settings: CandidateSettings) -> Server:
    """The model behind the server that ``spec`` names. Nothing is asked yet."""
    if spec.kind == "ollama":
        return Server(spec, spec.url or default_url(), Ollama(spec.target, settings), None, settings)
    url = spec.url or default_openai_url()
    return Server(spec, url, OpenAI(spec.kind, spec.target, settings), key, settings)


class Server:
    """See `evals.candidates.base.Source`.

    Its address is part of what it is: behind another one the same name may
    stand for other weights.
    """

    def __init__(
        self, spec: CandidateSpec, url: str, dialect: Dialect, key: SecretStr | None, settings: CandidateSettings
    ) -> None:
        self.identity: Mapping[str, Any] = {
            "model": spec.target,
            "url": url,
            "revision": settings.candidate_revision,
        }
        self._spec = spec
        self._url = url
        self._dialect = dialect
        self._key = key
        self._settings = settings
        self._concessions = Concessions()
        self._served: dict[str, None] = {}

    @property
    def notes(self) -> Sequence[str]:
        """What the server was seen to refuse, and under which names it answered."""
        asked = self._spec.target
        return [
            *(f"the server refuses {name}; asked without it" for name in sorted(self._concessions.refused)),
            *(f'the server answers as model "{name}" where "{asked}" was asked' for name in self._served),
        ]

    def ask(
        self, rows: Sequence[ChatRow], finished: Finished, *, seed: int, stream: Callable[[str], Any] | None = None
    ) -> None:
        """Answer all rows. Raises UserError if the server cannot answer the first one, nor any other."""
        asyncio.run(self._ask(rows, finished, seed))

    def close(self) -> None:
        """Nothing is held between two rounds of questions."""

    async def _ask(self, rows: Sequence[ChatRow], finished: Finished, seed: int) -> None:
        settings = self._settings
        transport = Transport(
            self._url,
            self._key,
            concurrency=settings.candidate_concurrency,
            timeout=settings.candidate_timeout,
            retries=settings.candidate_retries,
        )
        try:
            waiting = iter(rows)
            await self._begin(transport, waiting, finished, seed)

            async def work() -> None:
                for row in waiting:
                    finished(row, await self._answer(transport, row, seed))

            await asyncio.gather(*(work() for _ in range(min(transport.concurrency, len(rows)))))
        finally:
            await transport.close()

    async def _begin(self, transport: Transport, waiting: Iterator[ChatRow], finished: Finished, seed: int) -> None:
        """The first answer, alone: a wrong key, address or model is told after some questions, not after all."""
        said: list[str] = []
        for row in islice(waiting, REFUSALS):
            try:
                finished(row, await self._first(transport, row, seed))
                return
            except Rejected as error:
                said.append(str(error))
                finished(row, Answered(None, error=str(error)))
            except JudgeFailure as error:
                raise UserError(f"candidate {self._spec.text}: {error}") from error
        if len(said) == REFUSALS and len(set(said)) == 1:
            raise UserError(f"candidate {self._spec.text}: {said[0]} (to each of the first {REFUSALS} rows)")

    async def _first(self, transport: Transport, row: ChatRow, seed: int) -> Answered:
        """An answer, asked for without what the server says that it does not take."""
        while True:
            body = self._concessions.applied(self._dialect.body(row, seed))
            try:
                return self._read(await transport.post(self._dialect.path, body, first=True))
            except Rejected as error:
                if not self._concessions.made_for(error, body):
                    raise

    async def _answer(self, transport: Transport, row: ChatRow, seed: int) -> Answered:
        body = self._concessions.applied(self._dialect.body(row, seed))
        try:
            return self._read(await transport.post(self._dialect.path, body))
        except JudgeFailure as error:
            return Answered(None, error=str(error))

    def _read(self, response: Response) -> Answered:
        served = response.body.get("model")
        if isinstance(served, str) and served and not same_model(self._spec.target, served):
            self._served[printable(served)] = None
        try:
            return self._dialect.read(response)
        except JudgeFailure as error:
            return Answered(None, error=f"{self._url}: {error}")
