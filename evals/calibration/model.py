"""What a calibration file holds. Its JSON Schema is ``calibration.schema.json`` beside this file."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from evals.reports.subject import JudgeInfo

__all__ = [
    "Calibration",
    "Confusion",
    "Correlation",
    "Disagreement",
    "EstimateRow",
    "Flips",
    "KappaInfo",
    "MeasuredRate",
    "PassRates",
    "RaterAgreement",
    "SourceInfo",
    "TruthInfo",
]


class _Part(BaseModel):
    # JSON cannot say NaN: what does not exist is null.
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class SourceInfo(_Part):
    """What was judged: a report of ours, or a file of another system's verdicts."""

    name: str
    digest: str = Field(description="sha256 of the file")
    samples: int
    unscored: int = Field(description="samples without a verdict; no figure here counts them")
    threshold: float | None = Field(description="score from which a sample passes, where that is known")


class KappaInfo(_Part):
    """Cohen's kappa, agreement beyond chance; null where both sides give one and the same answer throughout."""

    kappa: float | None
    low: float | None
    high: float | None
    observed: float = Field(description="share of samples with equal answers")
    by_chance: float = Field(description="that share if the answers were given independently")
    samples: int


class RaterAgreement(_Part):
    """Two raters on the samples that both rated."""

    first: str
    second: str
    samples: int
    kappa: KappaInfo | None = Field(description="null: no sample in common")
    spearman: float | None = Field(description="rank correlation of their scores, if they gave scores")


class TruthInfo(_Part):
    """What the judge was held to."""

    name: str
    rule: Literal["exact match", "majority", "mean"]
    raters: list[str]
    agreement: list[RaterAgreement]
    labelled: int = Field(description="samples with a truth, those drawn for a disagreement included")
    ties: list[str] = Field(description="ids on which raters are evenly split; left out")
    measured: int = Field(description="labelled samples that the figures rest on: judged, and not of part focus")
    random: bool | None = Field(description="they are a random part of what was judged; null: they are all of it")


class Confusion(_Part):
    """Measured samples by truth and verdict."""

    true_pass: int
    false_fail: int
    false_pass: int
    true_fail: int


class MeasuredRate(_Part):
    """A rate over samples in clusters that share one verdict, worth ``effective`` independent samples."""

    rate: float
    low: float
    high: float
    samples: int
    clusters: int
    effective: float


class Correlation(_Part):
    """Rank correlation of the judge's scores with the truth; null where nothing varies."""

    kind: Literal["spearman", "kendall"]
    graded: bool = Field(description="the truth is a score; else pass or fail only")
    samples: int
    pooled: float | None
    grouped: float | None = Field(description="mean over groups")
    groups: int
    skipped: int = Field(description="groups in which nothing varies")


class Flips(_Part):
    """What became of verdicts when the judge was asked again."""

    asked_again: int = Field(description="samples, or distinct pairs of a report, with several verdicts")
    flipped: int = Field(description="those that passed once and failed once")
    rate: float
    low: float
    high: float
    mean_spread: float | None = Field(description="highest score less lowest, on average")


class EstimateRow(_Part):
    """One way to a pass rate; no rate where it does not apply."""

    method: Literal["judge alone", "labels only", "Rogan-Gladen", "PPI++"]
    rate: float | None
    low: float | None
    high: float | None
    meaning: str


class PassRates(_Part):
    """The ways to a pass rate, the recommended one first."""

    recommended: Literal["labels only", "Rogan-Gladen", "PPI++"] | None
    reason: str
    judge_adds_nothing: bool
    about: str = Field(description="which samples the rates are about")
    estimates: list[EstimateRow]


class Disagreement(_Part):
    """Samples of one kind on which judge and truth differ, alike in everything the judge saw."""

    kind: Literal["false pass", "false fail"]
    id: str = Field(description="of the first of these samples")
    samples: int
    score: float | None
    reason: str
    about: str
    text: str


class Calibration(_Part):
    """A judge held against the truth. Intervals are two-sided at ``confidence``.

    Passing counts as positive: ``sensitivity`` is the share of samples that truly
    pass which the judge passes, ``specificity`` the share of those that truly
    fail which it fails; null where no sample could show it.
    """

    schema_version: Literal[1] = 1
    source: SourceInfo
    judge: JudgeInfo | None = Field(description="all that can change its verdicts; null for another system's")
    truth: TruthInfo
    confidence: float
    kappa: KappaInfo
    accuracy: MeasuredRate
    sensitivity: MeasuredRate | None
    specificity: MeasuredRate | None
    confusion: Confusion
    correlations: list[Correlation] = Field(description="empty where the judge gives no scores")
    flips: Flips | None = Field(description="null where nothing was judged twice")
    pass_rate: PassRates
    disagreements: int = Field(description="labelled samples on which judge and truth differ")
    worst: list[Disagreement] = Field(description="those on which the judge was furthest from its threshold first")
    notes: list[str]

    def to_json(self) -> str:
        """The file's content."""
        return self.model_dump_json(indent=1) + "\n"


if __name__ == "__main__":
    import json
    from pathlib import Path

    from fixtures.contracts.files import write_json

    write_json(
        Path(__file__).parent / "calibration.schema.json",
        json.loads(json.dumps(Calibration.model_json_schema(mode="serialization"))),
    )
