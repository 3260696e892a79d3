"""How far a stage is."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Judged", "Predicted", "Snapshot"]


@dataclass(frozen=True, slots=True)
class Predicted:
    """Samples that the model has answered."""

    total: int
    done: int
    known: int
    """Of those done, how many needed no work: answered in an earlier run, or copies of others."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Distinct pairs that the judges are done with, and the samples behind them."""

    total: int
    done: int
    """Pairs on which nothing is left to ask, those without a verdict among them."""
    known: int = 0
    """Of those done, how many the store answered."""
    unscored: int = 0
    """Of those done, how many have no verdict."""
    errors: int = 0
    """Questions that a judge failed to answer with a verdict; those never asked are none."""
    passed: int = 0
    """Samples that pass."""
    scored: int = 0
    """Samples with a verdict."""
    latency: float | None = None
    """Seconds of the latest answers, their median; None without such answers."""
    cost: float | None = None
    """Money spent in this run; None without prices."""


Snapshot = Predicted | Judged
