"""What ``report.json`` holds. Its JSON Schema is ``report.schema.json`` beside this file.

Only ``run`` differs between two runs on the same inputs. The parts stand in
``subject``, ``rows``, ``trust``, ``run`` and ``shards``.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from evals.classic import ClassicMetrics
from evals.gate import Gate, Tally
from evals.reports.as_json import json_of
from evals.reports.rows import CategoryRow, MetricRow, PairRow, PassRate, SampleRow
from evals.reports.run import RunInfo
from evals.reports.shards import ConflictRow, ShardInfo
from evals.reports.subject import DatasetInfo, JudgeInfo, ModelInfo, TaskName
from evals.reports.trust import JudgeTruth, NoiseInfo, ProbesInfo
from evals.text_measures import TextMeasure

__all__ = ["BaselineInfo", "Report", "Verdict"]


class _Part(BaseModel):
    # JSON cannot say NaN: a rate that does not exist is null.
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


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
