"""Learning curves: what was measured at which step, however it was written down.

Six measures cover every log that is read here. A *validation* figure is of one
batch of the validation data and as noisy as a training figure; a *full
validation* figure is of all of it. Hosted fine-tuning logs both, Trainer's
``eval_loss`` is of the second kind.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Best", "Curves", "Measure", "Series", "best_checkpoint"]


class Measure(StrEnum):
    """What a figure says."""

    TRAIN_LOSS = "train_loss"
    TRAIN_ACCURACY = "train_accuracy"
    VALIDATION_LOSS = "validation_loss"
    VALIDATION_ACCURACY = "validation_accuracy"
    FULL_VALIDATION_LOSS = "full_validation_loss"
    FULL_VALIDATION_ACCURACY = "full_validation_accuracy"


@dataclass(frozen=True, slots=True)
class Series:
    """One measure over the steps, ascending, each step once. ``heading`` is its name in the file."""

    heading: str
    steps: tuple[float, ...]
    values: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.steps)

    def since(self, step: float) -> Series:
        """What was measured at ``step`` and after it."""
        first = bisect_left(self.steps, step)
        return Series(self.heading, self.steps[first:], self.values[first:])

    def until(self, step: float) -> Series:
        """What was measured up to ``step``, and at it."""
        end = bisect_right(self.steps, step)
        return Series(self.heading, self.steps[:end], self.values[:end])


@dataclass(frozen=True, slots=True)
class Curves:
    """The curves of one training. A measure that was never taken is not in ``series``."""

    dialect: str
    series: Mapping[Measure, Series]
    diverged_at: float | None = None
    """The first of the last steps whose training loss is NaN or infinite, if it never came back."""
    notes: tuple[str, ...] = ()

    def steps(self) -> list[float]:
        """All steps at which something was measured."""
        return sorted({step for series in self.series.values() for step in series.steps})


@dataclass(frozen=True, slots=True)
class Best:
    """The checkpoint to take, and the figure that decided it."""

    step: float
    value: float
    measure: Measure
    heading: str


def best_checkpoint(curves: Curves) -> Best | None:
    """The step with the lowest full validation loss, else validation loss; the earlier one of equals.

    None without any validation loss: the training loss falls while a model
    learns its examples by heart and cannot choose.
    """
    for measure in (Measure.FULL_VALIDATION_LOSS, Measure.VALIDATION_LOSS):
        if series := curves.series.get(measure):
            value, step = min(zip(series.values, series.steps, strict=True))
            return Best(step, value, measure, series.heading)
    return None
