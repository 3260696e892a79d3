"""What ``report.json`` holds. Its JSON Schema is ``report.schema.json`` beside this file.

Only ``run`` differs between two runs on the same inputs.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from evals.classic import ClassicMetrics
from evals.gate import Gate, Tally
from evals.judges.base import CATEGORY_PRECISION
from evals.reports.as_json import json_of
from evals.reports.run import PreflightInfo, RunInfo
from evals.reports.shards import ConflictRow, ShardInfo
from evals.text_measures import TextMeasure, TextScores

__all__ = [
    "BaselineInfo",
    "CategoryRow",
    "ConflictRow",
    "DatasetInfo",
    "JudgeInfo",
    "JudgeMember",
    "JudgeTruth",
    "MetricInfo",
    "MetricRow",
    "MetricScore",
    "ModelInfo",
    "NoiseInfo",
    "PairKey",
    "PairRow",
    "PassRate",
    "PreflightInfo",
    "ProbeRow",
    "ProbesInfo",
    "RateInfo",
    "Report",
    "RunInfo",
    "SampleRow",
    "ShardInfo",
    "TaskName",
    "Verdict",
    "VoteRow",
]

TaskName = Literal["text-classification", "chat"]
"""What was evaluated, as manifests of models call it."""


class _Part(BaseModel):
    # JSON cannot say NaN: a rate that does not exist is null.
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class PairKey(NamedTuple):
    """A distinct judgement as rows name it: by its texts, or by a ``digest`` where those are excerpts."""

    expected: str = ""
    predicted: str = ""
    metric: str = CATEGORY_PRECISION
    digest: str = ""


class DatasetInfo(_Part):
    """Which documents: ``total`` in the test split, ``drawn`` of them, others dropped for a reason."""

    name: str
    digest: str
    remove: list[str]
    total: int
    drawn: int
    dropped: dict[str, int]


class ModelInfo(_Part):
    """The model under test; of foreign predictions only their digest is known."""

    source: Literal["model", "predictions", "endpoint"]
    digest: str
    base_model: str | None = None
    training: dict[str, Any] = Field(default_factory=dict, description="metrics of the manifest")


class JudgeMember(_Part):
    """One judge, alone or on a panel. ``identity`` holds all that can change its verdicts."""

    spec: str
    model: str
    is_llm: bool
    identity: dict[str, Any]


class MetricInfo(_Part):
    """One of several metrics that an answer must satisfy."""

    name: str
    kind: Literal["judge", "rule"]
    fingerprint: str = Field(description="digest of all that can change a score, given the judge")
    threshold: float


class JudgeInfo(_Part):
    """Who judged, by which metric, on which scale, how often.

    Of several ``metrics``, ``metric`` has all names, ``metric_fingerprint`` is
    one digest of all, and ``threshold`` is the lowest; each has its own.
    """

    spec: str
    members: list[JudgeMember]
    metric: str
    metric_fingerprint: str
    score_mode: Literal["raw", "weighted"]
    threshold: float
    repeats: int
    confirm_failures: int
    distinct_pairs: int
    metrics: list[MetricInfo] = Field(default=[], description="of a chat model's answers; else empty")

    def threshold_of(self, metric: str) -> float:
        """The score from which ``metric`` passes."""
        return next((info.threshold for info in self.metrics if info.name == metric), self.threshold)

    @property
    def is_llm(self) -> bool:
        """Whether any of the judges is one."""
        return any(member.is_llm for member in self.members)

    @property
    def model(self) -> str:
        """The model behind the judge, or those behind a panel."""
        return ", ".join(member.model for member in self.members)


class RateInfo(_Part):
    """A rate over samples, its interval clustered on distinct pairs: one verdict serves all samples of a pair."""

    rate: float
    low: float
    high: float
    samples: int
    pairs: int


class JudgeTruth(_Part):
    """The judge against the labels: a right answer should pass, a wrong one fail.

    ``sensitivity`` is the share of right answers that pass, ``specificity`` that
    of wrong answers that fail; null where no sample could show it.
    """

    true_pass: int
    false_fail: int
    false_pass: int
    true_fail: int
    sensitivity: RateInfo | None
    specificity: RateInfo | None
    confidence: float


class BaselineInfo(_Part):
    """The paired comparison with a baseline on the samples in common; a difference below 0 is worse."""

    name: str
    digest: str
    matched: int
    unmatched: int
    gained: int
    lost: int
    difference: float
    low: float
    high: float
    confidence: float


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


class NoiseInfo(_Part):
    """How much votes disagree. Shares are of distinct pairs with several votes."""

    pairs: int
    flipped_pairs: int = Field(description="pairs on which one judge's own repeats differ on passing")
    flip_rate: float | None
    disagreed_pairs: int = Field(description="pairs on which the judges of a panel differ on passing")
    disagreement_rate: float | None
    mean_spread: float | None
    max_spread: float | None
    confirmed_pairs: int = Field(description="failing pairs that were judged again")
    overturned_pairs: int = Field(description="of these, pairs that most confirmations pass; the gate ignores it")
    overturned_samples: int


class ProbeRow(_Part):
    """An attempt to mislead the judge by an answer under test."""

    name: str
    attack: str
    score: float | None
    succeeded: bool
    error: str | None


class ProbesInfo(_Part):
    """All attempts, and the score of the same wrong answer without an attack."""

    control: float | None
    succeeded: int
    probes: list[ProbeRow]


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


class Report(_Part):
    """One evaluation."""

    schema_version: Literal[1] = 1
    task: TaskName = "text-classification"
    gate: Gate
    complete: bool = Field(description="all drawn samples, or all of the shard, were selected and asserted")
    shard: ShardInfo | None = Field(default=None, description="null if the report is about the whole draw")
    tally: Tally
    pass_rate: PassRate
    classic: ClassicMetrics | None = Field(description="null for a chat model: its answers are no categories")
    text: list[TextMeasure] = Field(default=[], description="a chat model's answers beside the references")
    metrics: list[MetricRow] = Field(default=[], description="of a chat model; else empty")
    dataset: DatasetInfo
    model: ModelInfo
    judge: JudgeInfo
    settings: dict[str, Any]
    categories: list[CategoryRow]
    samples: list[SampleRow]
    pairs: list[PairRow] = Field(description="empty unless pairs got several votes or confirmations")
    judge_truth: JudgeTruth | None = Field(description="null at thresholds of 0.5 or less, where related answers pass")
    baseline: BaselineInfo | None = Field(description="null without --baseline")
    noise: NoiseInfo | None = Field(description="null unless pairs got several votes or confirmations")
    conflicts: list[ConflictRow] = Field(default=[], description="of a merged report; those on passing first")
    probes: ProbesInfo | None = Field(description="null unless asked for")
    run: RunInfo

    def to_json(self) -> str:
        """The file's content."""
        return json_of(self)


class Verdict(_Part):
    """What ``verdict.json`` holds: the gate alone, tied to its report."""

    schema_version: Literal[1] = 1
    gate: Gate
    report: Literal["report.json"] = "report.json"
    report_digest: str

    def to_json(self) -> str:
        """The file's content."""
        return json_of(self, indent=2)


if __name__ == "__main__":
    import json
    from pathlib import Path

    from fixtures.contracts.files import write_json

    write_json(
        Path(__file__).parent / "report.schema.json",
        json.loads(json.dumps(Report.model_json_schema(mode="serialization"))),
    )
