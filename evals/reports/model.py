"""What ``report.json`` holds. Its JSON Schema is ``report.schema.json`` beside this file.

Only ``run`` differs between two runs on the same inputs.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from evals.classic import ClassicMetrics
from evals.gate import Gate, Tally

__all__ = [
    "CategoryRow",
    "DatasetInfo",
    "JudgeInfo",
    "ModelInfo",
    "PassRate",
    "Report",
    "RunInfo",
    "SampleRow",
    "Verdict",
]


class _Part(BaseModel):
    # JSON cannot say NaN: a rate that does not exist is null.
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class RunInfo(_Part):
    """What differs from run to run. Times are ISO 8601 in UTC, durations in seconds."""

    started: str
    finished: str
    seconds: float
    prediction_seconds: float
    judging_seconds: float
    judge_calls: int = Field(description="questions put to the judge in this run")
    cache_hits: int = Field(description="distinct pairs whose verdict was in the store")
    host: str
    versions: dict[str, str]


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

    source: Literal["model", "predictions"]
    digest: str
    base_model: str | None = None
    training: dict[str, Any] = Field(default_factory=dict, description="metrics of the manifest")


class JudgeInfo(_Part):
    """Who judged, by which metric, on which scale."""

    spec: str
    model: str
    is_llm: bool
    metric: str
    metric_fingerprint: str
    score_mode: Literal["raw"]
    threshold: float
    distinct_pairs: int


class SampleRow(_Part):
    """One sample. ``text`` is an excerpt; ``score`` lies in 0..1, null when unscored."""

    id: str
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


class Report(_Part):
    """One evaluation."""

    schema_version: Literal[1] = 1
    gate: Gate
    complete: bool = Field(description="all drawn samples were selected and asserted")
    tally: Tally
    pass_rate: PassRate
    classic: ClassicMetrics
    dataset: DatasetInfo
    model: ModelInfo
    judge: JudgeInfo
    settings: dict[str, Any]
    categories: list[CategoryRow]
    samples: list[SampleRow]
    run: RunInfo

    def to_json(self) -> str:
        """The file's content."""
        return self.model_dump_json(indent=1) + "\n"


class Verdict(_Part):
    """What ``verdict.json`` holds: the gate alone, tied to its report."""

    schema_version: Literal[1] = 1
    gate: Gate
    report: Literal["report.json"] = "report.json"
    report_digest: str


if __name__ == "__main__":
    import json
    from pathlib import Path

    from fixtures.contracts.files import write_json

    write_json(
        Path(__file__).parent / "report.schema.json",
        json.loads(json.dumps(Report.model_json_schema(mode="serialization"))),
    )
