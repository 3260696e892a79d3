"""Which verdicts a store holds: chosen, grouped and counted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from evals.verdicts.records import digest
from evals.verdicts.rows import Record
from fixtures.contracts.errors import UserError

__all__ = ["Group", "Selection", "group", "judge_name", "seconds_of"]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True)
class Selection:
    """Conditions that a verdict must all meet; None means any."""

    judge: str | None = None
    """Part of the judge's kind and model."""
    pair_contains: str | None = None
    """Part of the actual or the expected output, or of the input."""
    metric: str | None = None
    """Beginning of the metric's fingerprint."""
    score_mode: str | None = None
    created_before: float | None = None

    def __contains__(self, record: Record) -> bool:
        asked, pair = record.asked, record.asked.judgement
        texts = (pair.actual.casefold(), pair.expected.casefold(), pair.input.casefold())
        return (
            (self.judge is None or self.judge.casefold() in judge_name(record).casefold())
            and (self.pair_contains is None or any(self.pair_contains.casefold() in text for text in texts))
            and (self.metric is None or asked.metric.startswith(self.metric))
            and (self.score_mode is None or asked.score_mode == self.score_mode)
            and (self.created_before is None or record.created < self.created_before)
        )


@dataclass(frozen=True)
class Group:
    """The verdicts of one judge on one metric in one score mode."""

    judge: dict[str, Any]
    name: str
    """Kind and model of the judge."""
    identity: str
    """Beginning of the digest of its identity, which tells judges of one name apart."""
    metric: str
    score_mode: str
    verdicts: int
    pairs: int
    repeats: int
    """Verdicts on a pair, at most."""
    first: float
    last: float
    tokens_in: int
    tokens_out: int
    seconds: float
    mean_score: float

    def entry(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def judge_name(record: Record) -> str:
    """Kind and model of the judge, as people know it."""
    return ":".join(filter(None, (record.asked.judge_kind, record.asked.judge_model)))


def group(records: Iterable[Record]) -> list[Group]:
    """The groups that ``records`` fall into, in their order."""
    members: dict[tuple[str, str, str], list[Record]] = {}
    for record in records:
        asked = record.asked
        members.setdefault((digest(dict(asked.judge)), asked.metric, asked.score_mode), []).append(record)
    return [_count(identity[:8], found) for (identity, _, _), found in members.items()]


def _count(identity: str, records: list[Record]) -> Group:
    first = records[0].asked
    per_pair: dict[object, int] = {}
    for record in records:
        per_pair[record.asked.judgement] = per_pair.get(record.asked.judgement, 0) + 1

    def total(number: Callable[[Record], float | None]) -> Any:
        return sum(value for record in records if (value := number(record)) is not None)

    return Group(
        judge=dict(first.judge),
        name=judge_name(records[0]),
        identity=identity,
        metric=first.metric,
        score_mode=first.score_mode,
        verdicts=len(records),
        pairs=len(per_pair),
        repeats=max(per_pair.values()),
        first=min(record.created for record in records),
        last=max(record.created for record in records),
        tokens_in=total(lambda record: record.answer.tokens_in),
        tokens_out=total(lambda record: record.answer.tokens_out),
        seconds=total(lambda record: record.answer.seconds),
        mean_score=total(lambda record: record.answer.score) / len(records),
    )


def seconds_of(age: str) -> float:
    """Seconds in an age as ``30d``. Raises UserError."""
    found = re.fullmatch(r"(\d{1,9})([smhdw])", age)
    if found is None:
        raise UserError(f"--older-than is {age!r}: must be a number and s, m, h, d or w, as 30d")
    return float(int(found[1]) * _UNITS[found[2]])
