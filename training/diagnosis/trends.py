"""What noisy curves can be trusted to say: trends, falls, gaps and their intervals.

A trend is Theil's and Sen's: the median slope between all pairs of points, with
the interval that belongs to Kendall's test (P. K. Sen (1968), "Estimates of the
regression coefficient based on Kendall's tau", JASA 63). It needs no normal
noise, and a spike does not move it. Neighbouring points of a curve resemble one
another, so the interval is widened as if there were fewer of them (B. D. Santer
et al. (2000), "Statistical significance of trends and trend differences in
layer-average atmospheric temperature time series", JGR 105).

Levels are compared by Welch's t interval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import theilslopes, ttest_ind

from training.diagnosis.curves import Series

__all__ = ["ENOUGH", "Estimate", "difference", "noise", "trend"]

ENOUGH = 5
"""Points of a trend: five that rise one after another do so by chance in 1 of 120 cases, four in 1 of 24."""

_BLOCKS = 120
"""A longer curve is averaged down to so many points: pairs of points would be millions."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval, ``low <= value <= high``."""

    value: float
    low: float
    high: float

    def turned(self) -> Estimate:
        """The same change seen the other way: a rise as a fall."""
        return Estimate(-self.value, -self.high, -self.low)


def trend(series: Series, *, confidence: float, alike: bool = True) -> Estimate:
    """How much ``series`` changed from its first step to its last, along its trend.

    ``alike`` allows for neighbours that resemble one another. A curve that bends
    sharply looks like that, too, and gets a needlessly wide interval.

    Raises ValueError for fewer than `ENOUGH` points.
    """
    if len(series) < ENOUGH:
        raise ValueError(f"a trend of {len(series)} points")
    steps, values = _thinned(series)
    found = theilslopes(values, steps, confidence)
    wider = _likeness(steps - steps.mean(), values) if alike else 1.0
    slope, low, high = float(found.slope), float(found.low_slope), float(found.high_slope)
    span = float(steps[-1] - steps[0])
    return Estimate(slope * span, (slope - (slope - low) * wider) * span, (slope + (high - slope) * wider) * span)


def difference(first: Series, second: Series) -> Estimate:
    """How much lower ``second`` lies than ``first``, with a 95 % interval.

    Raises ValueError for fewer than two points of either.
    """
    if min(len(first), len(second)) < 2:
        raise ValueError(f"a difference of {len(first)} and {len(second)} points")
    one, two = np.array(first.values), np.array(second.values)
    value = float(one.mean() - two.mean())
    if np.ptp(one) == 0 == np.ptp(two):
        return Estimate(value, value, value)
    interval = ttest_ind(one, two, equal_var=False).confidence_interval(0.95)
    return Estimate(value, float(interval.low), float(interval.high))


def noise(series: Series) -> float:
    """By how much a point is off for no reason, as a standard deviation.

    From the differences of neighbours, so that a trend does not count; their
    median, so that a spike does not. Raises ValueError for fewer than two points.
    """
    if len(series) < 2:
        raise ValueError("the noise of one point")
    return float(np.median(np.abs(np.diff(series.values)))) * 1.4826 / 2**0.5


def _thinned(series: Series) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The points, or means of neighbours where there are very many."""
    blocks = min(_BLOCKS, len(series))
    steps, values = (np.array_split(np.array(column), blocks) for column in (series.steps, series.values))
    return np.array([part.mean() for part in steps]), np.array([part.mean() for part in values])


def _likeness(steps: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """By which factor the likeness of neighbours widens an interval: sqrt of n by its effective number."""
    # What a bend explains is no likeness.
    noise = values - np.polyval(np.polyfit(steps, values, 2), steps)
    square = float(noise @ noise)
    correlation = float(noise[1:] @ noise[:-1]) / square if square > 0 else 0.0
    # In a short curve it comes out too low (F. H. C. Marriott and J. A. Pope (1954), Biometrika 41).
    correlation += (1 + 4 * correlation) / len(values)
    correlation = min(max(correlation, 0.0), 0.9)
    return float(((1 + correlation) / (1 - correlation)) ** 0.5)
