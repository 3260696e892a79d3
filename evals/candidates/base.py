"""What every kind of candidate gives: an answer to a row, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from fixtures.conversations.rows import ChatRow

__all__ = ["Answered", "Candidate", "Finished", "Source"]


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of one row."""

    text: str | None
    """The answer, its tool calls as JSON where it says nothing; None where the row could not be answered."""
    finish_reason: str | None = None
    """stop, length (at --max-new-tokens or the end of the model's context), tool_calls, ...; None: not known."""
    tokens_in: int | None = None
    tokens_out: int | None = None
    seconds: float | None = None
    """Of the request, or of the batch that it was answered in."""
    error: str | None = None
    """Why there is no answer: it is the candidate's failure to answer, and no bad answer."""


Finished = Callable[[ChatRow, Answered], Any]
"""Told of each row as soon as it is answered, or has failed."""


class Candidate(Protocol):
    """Something whose answers are evaluated."""

    name: str
    """The string that names it."""
    kind: str
    """folder, answers, endpoint, openai or ollama."""
    identity: Mapping[str, Any]
    """All that can change its answers; JSON."""

    @property
    def digest(self) -> str:
        """Of ``identity``."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """What a reader of its answers should know; complete once it has answered."""
        ...

    def answer(
        self, rows: Sequence[ChatRow], *, known: Sequence[ChatRow] | None = None, progress: Callable[[int], Any]
    ) -> dict[str, Answered]:
        """What became of each row, by id. ``known``: all rows of their file, where ``rows`` are some of them.

        ``progress`` is told how many rows were done since the last call, first
        of those that need no work. Raises UserError where nothing can be
        answered: wrong key, no such model, no such server, a damaged file.
        """
        ...


class Source(Protocol):
    """A model that can be asked, behind a candidate."""

    identity: Mapping[str, Any]

    @property
    def notes(self) -> Sequence[str]:
        """See `Candidate`."""
        ...

    def ask(
        self, rows: Sequence[ChatRow], finished: Finished, *, seed: int, stream: Callable[[str], Any] | None = None
    ) -> None:
        """Answer all ``rows``, in any order. Raises UserError where none can be.

        ``stream`` is told a single row's answer in pieces, where the model is
        in this process.
        """
        ...

    def close(self) -> None:
        """Let go of memory; it may be asked again."""
        ...
