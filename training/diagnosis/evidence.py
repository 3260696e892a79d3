"""The figures that a verdict rests on, each with its interval.

The *start* is the first fifth of the validation points, the *late* part their
last half, the *end* their last quarter; the training loss is looked at between
the same steps. Before the first validation it has nothing to be compared with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from fixtures.conversations.faults import counted
from training.diagnosis.curves import Best, Curves, Measure, Series, best_checkpoint
from training.diagnosis.trends import ENOUGH, Estimate, difference, noise, trend

__all__ = ["FEWEST", "Evidence", "Missing", "Part", "gather"]

FEWEST = ENOUGH + 1
"""Validation points below which nothing is said: a start, and a trend after it."""

LATE = 0.99
"""Confidence for the trends of the late part and of the end: both are looked at, for the worse news."""

WHOLE = 0.975


class Missing(NamedTuple):
    """Why there is no evidence, and what would give some."""

    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Part:
    """One loss: its level at the start and in the late part, and how it got from one to the other."""

    heading: str
    points: int
    start: float
    level: float
    fall: Estimate
    """From the start to the late part; positive when the loss became lower."""
    whole: Estimate
    """Trend over all points; negative when the loss falls."""
    late: Estimate
    end: Estimate


@dataclass(frozen=True, slots=True)
class Evidence:
    """Validation and training loss, how far apart they are late on, and how noisy a validation point is."""

    validation: Part
    train: Part
    gap: Estimate
    noise: float
    best: Best


def gather(curves: Curves) -> Evidence | Missing:
    """The evidence, or what is missing for it."""
    validation, train, best = _validation(curves), curves.series.get(Measure.TRAIN_LOSS), best_checkpoint(curves)
    if validation is None or best is None:
        return Missing("there is no validation loss", "train with validation data that the model does not learn from")
    if len(validation) < FEWEST:
        return Missing(
            f"{counted(len(validation), 'point')} of {validation.heading}: so few that nothing can be said; it takes "
            f"{FEWEST}",
            f"evaluate more often: at {FEWEST} steps or more, better at 12",
        )
    if train is None:
        return Missing("there is no training loss to compare with", "log the training loss as well")
    count = len(validation)
    edges = [validation.steps[0], validation.steps[max(2, count // 5) - 1]]
    edges += [validation.steps[-size] for size in (max(ENOUGH, count // 2), count // 2, max(ENOUGH, count // 4))]
    try:
        train_part = _part(train, *edges)
    except ValueError:
        return Missing(
            f"there are too few points of {train.heading} beside those of {validation.heading} to compare the two",
            "log the training loss more often",
        )
    half = edges[3]
    gap = difference(validation.since(half), train.since(half))
    return Evidence(_part(validation, *edges), train_part, gap, noise(validation), best)


def _validation(curves: Curves) -> Series | None:
    """The validation losses to look at: of all the data where there are enough, else of batches."""
    known = [curves.series.get(measure) for measure in (Measure.FULL_VALIDATION_LOSS, Measure.VALIDATION_LOSS)]
    found = [series for series in known if series]
    return next((series for series in found if len(series) >= FEWEST), max(found, key=len, default=None))


def _part(series: Series, first: float, start: float, late: float, half: float, end: float) -> Part:
    """Raises ValueError for too few points between the steps."""
    series = series.since(first)
    before, after = series.until(start), series.since(half)
    return Part(
        heading=series.heading,
        points=len(series),
        fall=difference(before, after),
        start=_mean(before),
        level=_mean(after),
        # A curve that bends looks like one whose neighbours resemble one another: only asked whether it fell at all.
        whole=trend(series, confidence=WHOLE, alike=False),
        late=trend(series.since(late), confidence=LATE),
        end=trend(series.since(end), confidence=LATE),
    )


def _mean(series: Series) -> float:
    return sum(series.values) / len(series)
