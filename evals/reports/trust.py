"""What a report says of how far its judge can be trusted: against labels, against itself, against attacks."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["JudgeTruth", "NoiseInfo", "ProbeRow", "ProbesInfo", "RateInfo"]


class _Part(BaseModel):
    # JSON cannot say NaN: a rate that does not exist is null.
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


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
