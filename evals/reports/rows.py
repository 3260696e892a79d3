"""The rows of a report: samples, the distinct judgements behind them, and rates by category and metric."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from evals.gate import Tally
from evals.judges.base import CATEGORY_PRECISION
from evals.text_measures import TextScores

__all__ = ["CategoryRow", "MetricRow", "MetricScore", "PairKey", "PairRow", "PassRate", "SampleRow", "VoteRow"]


class _Part(BaseModel):
    # JSON cannot say NaN: a rate that does not exist is null.
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class PairKey(NamedTuple):
    """A distinct judgement as rows name it: by its texts, or by a ``digest`` where those are excerpts."""

    expected: str = ""
    predicted: str = ""
    metric: str = CATEGORY_PRECISION
    digest: str = ""


class MetricScore(_Part):
    """What one metric says of one answer. ``score`` lies in 0..1, null where there is no verdict."""

    name: str
    score: float | None
    reason: str
    error: str | None = None
    raw: str | None = Field(default=None, description="the judge's answer as it came, where it was no verdict")
    judgement: str | None = Field(default=None, description="digest of what the judge was asked; null for rules")


class SampleRow(_Part):
    """One sample. ``text`` is an excerpt; ``score`` lies in 0..1, null when unscored.

    A chat model's answer has several ``metrics``: ``score`` and ``reason`` are
    then those of the one that clears its threshold by least, or misses it by
    most; ``text`` is the question, ``expected`` the reference, ``predicted`` the
    answer, all excerpts.
    """

    id: str
    category: str | None = Field(default=None, description="null where the expected answer is the category")
    expected: str
    predicted: str
    prediction_score: float | None
    state: Literal["passed", "failed", "unscored"]
    score: float | None
    reason: str
    error: str | None
    raw: str | None = Field(description="the judge's answer as it came, for unscored samples")
    digest: str
    text: str = Field(max_length=1000)
    metrics: list[MetricScore] = Field(default=[], description="of a chat model's answer; else empty")
    measures: TextScores | None = Field(default=None, description="a chat model's answer beside the reference")

    @property
    def group(self) -> str:
        """Its category."""
        return self.expected if self.category is None else self.category

    @property
    def pairs(self) -> list[PairKey]:
        """The distinct judgements that its state is made of."""
        if not self.metrics:
            return [PairKey(self.expected, self.predicted)]
        return [
            PairKey(metric=metric.name, digest=metric.judgement)
            for metric in self.metrics
            if metric.judgement is not None
        ]


class VoteRow(_Part):
    """One vote on a pair; ``repeat`` counts from 0."""

    judge: str
    repeat: int
    score: float | None
    reason: str
    error: str | None


class PairRow(_Part):
    """A distinct pair that got several votes. ``confirmations`` do not count."""

    metric: str = CATEGORY_PRECISION
    digest: str = Field(default="", description="of the whole judgement, where the texts are excerpts")
    expected: str
    predicted: str
    samples: int
    score: float | None
    spread: float = Field(description="highest score of the votes less the lowest")
    flipped: bool = Field(description="some votes pass, some do not")
    votes: list[VoteRow]
    confirmations: list[VoteRow]

    @property
    def key(self) -> PairKey:
        """Which pair it is."""
        if self.digest:
            return PairKey(metric=self.metric, digest=self.digest)
        return PairKey(self.expected, self.predicted, self.metric)


class PassRate(_Part):
    """Share of scored samples that passed, with a two-sided Wilson interval; null if none was scored."""

    rate: float | None
    low: float | None
    high: float | None
    confidence: float


class CategoryRow(_Part):
    """The samples expected in one category."""

    category: str
    tally: Tally
    pass_rate: PassRate


class MetricRow(_Part):
    """All samples by one metric. ``judgements`` are distinct ones of a judge; rules need none."""

    name: str
    kind: Literal["judge", "rule"]
    threshold: float
    tally: Tally
    pass_rate: PassRate
    mean_score: float | None
    judgements: int
