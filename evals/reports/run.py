"""What a report says of the run that made it: all that differs between two runs on the same inputs."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from evals.judges.ledger import Usage
from evals.reports.shards import ShardRun

__all__ = ["PreflightInfo", "RunInfo"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PreflightInfo(_Part):
    """What a judge did with one known question, of which 10 is the right score."""

    judge: str
    model: str
    schema_by: str | None = Field(description="how answers are held to the schema; null: they are not")
    logprobs: bool
    seconds: float
    score: float | None
    problem: str | None
    notes: list[str]


class RunInfo(_Part):
    """What differs from run to run. Times are ISO 8601 in UTC, durations in seconds.

    Of a merged report: from the first start to the last end, and the sums of
    all durations; the judge's latencies are known of each shard alone.
    """

    started: str
    finished: str
    seconds: float
    prediction_seconds: float
    judging_seconds: float
    judging_stopped: str | None = Field(description="why the judge was not asked about all pairs, if so")
    usage: Usage
    preflight: list[PreflightInfo] = Field(description="of each judge that is an LLM; empty if the store knew it all")
    host: str
    versions: dict[str, str]
    shards: list[ShardRun] = Field(default=[], description="of a merged report, in order; else empty")
