"""What a report says of shards: a part of a draw of itself, a merged one of the parts it was made from."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from evals.judges.base import CATEGORY_PRECISION
from evals.judges.ledger import Usage

__all__ = ["ConflictRow", "ShardInfo", "ShardRun", "ShardVerdict"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ShardInfo(_Part):
    """Which part of a draw a report is about, and what proves that a merge has all parts of it."""

    index: int = Field(description="from 1")
    count: int
    draw_digest: str = Field(description="over id and text digest of all drawn samples, in order")
    places: list[int] = Field(description="of each sample in the draw, from 0")


class ShardRun(_Part):
    """One of the runs that a merged report was made from."""

    shard: str = Field(description="i/n")
    report_digest: str
    host: str
    started: str
    finished: str
    seconds: float
    usage: Usage


class ShardVerdict(_Part):
    """What the judge of one shard said of a pair."""

    shard: int = Field(description="from 1")
    samples: int
    score: float
    reason: str


class ConflictRow(_Part):
    """A pair on which the shards of a merged report got different scores; each sample keeps its shard's verdict."""

    metric: str = CATEGORY_PRECISION
    expected: str
    predicted: str
    samples: int = Field(description="of the pair, those without a verdict left out")
    flipped: bool = Field(description="some of the verdicts pass, some do not")
    verdicts: list[ShardVerdict]
