"""A candidate that is asked: each distinct row once, and what it answers is kept at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evals.candidates.base import Answered, Source
from evals.candidates.kept import KeptAnswers
from evals.candidates.settings import CandidateSettings
from fixtures.contracts.files import sha256_text
from fixtures.conversations.rows import ChatRow

__all__ = ["AskedCandidate"]


class AskedCandidate:
    """See `evals.candidates.base.Candidate`."""

    def __init__(self, name: str, kind: str, source: Source, settings: CandidateSettings) -> None:
        self.name = name
        self.kind = kind
        self.source = source
        self.identity: Mapping[str, Any] = {
            "kind": kind,
            **source.identity,
            "max_new_tokens": settings.max_new_tokens,
            "temperature": settings.temperature,
            "seed": settings.candidate_seed if settings.temperature else None,
        }
        self._seed = settings.candidate_seed
        self._folder = settings.save_to / "answers-kept"

    @property
    def digest(self) -> str:
        """Of everything that can change an answer."""
        return sha256_text(json.dumps(self.identity, sort_keys=True))

    @property
    def notes(self) -> Sequence[str]:
        """What was found out while it answered."""
        return self.source.notes

    @property
    def kept_in(self) -> Path:
        """The file of its answers: delete it, and all rows are asked anew."""
        return self._folder / f"{self.digest[:16]}.jsonl"

    def answer(
        self, rows: Sequence[ChatRow], *, known: Sequence[ChatRow] | None = None, progress: Callable[[int], Any]
    ) -> dict[str, Answered]:
        """What became of each row, by id; answers of earlier runs are found again, failures are not kept."""
        kept = KeptAnswers(self.kept_in)
        done: dict[str, Answered] = dict(kept.answers)
        copies: dict[str, int] = {}
        for row in rows:
            copies[row.digest] = copies.get(row.digest, 0) + 1
        todo = list({row.digest: row for row in rows if row.digest not in done}.values())
        progress(len(rows) - sum(copies[row.digest] for row in todo))

        def finished(row: ChatRow, answered: Answered) -> None:
            if answered.error is None:
                kept.keep(row.digest, answered)
            done[row.digest] = answered
            progress(copies[row.digest])

        if todo:
            try:
                with kept:
                    self.source.ask(todo, finished, seed=self._seed)
            finally:
                self.source.close()
        return {row.id: done[row.digest] for row in rows}
