"""What a report says of its subject: which model answered which texts, and who judged, by which metrics."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["DatasetInfo", "JudgeInfo", "JudgeMember", "MetricInfo", "ModelInfo", "TaskName"]

TaskName = Literal["text-classification", "chat"]
"""What was evaluated, as manifests of models call it."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


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
