"""Axes of shares: limits that hold the data, ticks that can be read."""

from __future__ import annotations

from math import ceil, floor

from matplotlib.axes import Axes

from evals.reports.html.drawing import COLOURS

__all__ = ["limits", "percent_axis", "rising_percent_axis"]

_SHORTEST = 0.3
"""An axis that spans less makes a hair's breadth look like a world."""


def limits(low: float, high: float, *, room: float) -> tuple[float, float]:
    """Ends of an axis that holds both, on multiples of 5 %; ``room`` is a share of the axis, kept free at both."""
    room *= max(high - low, _SHORTEST)
    low, high = floor((low - room) * 20) / 20, ceil((high + room) * 20) / 20
    if high - low < _SHORTEST:
        middle = (low + high) / 2
        low, high = floor((middle - _SHORTEST / 2) * 20) / 20, ceil((middle + _SHORTEST / 2) * 20) / 20
    if high > 1:
        low, high = low - (high - 1), 1.0
    if low < 0:
        low, high = 0.0, min(1.0, high - low)
    return low, high


def percent_axis(axes: Axes, low: float, high: float, *, ticks: int) -> None:
    """Set the limits, and about ``ticks`` round numbers between them."""
    axes.set_xlim(low, high)
    step = next(step for step in (5, 10, 20, 25, 50) if (high - low) * 100 / step <= ticks)
    places = range(ceil(round(low * 100, 6) / step) * step, floor(round(high * 100, 6)) + 1, step)
    axes.set_xticks([place / 100 for place in places], [f"{place}%" for place in places])


def rising_percent_axis(axes: Axes, low: float, high: float) -> None:
    """The same from the bottom to the top, with lines across."""
    axes.set_ylim(low, high)
    step = 5 if high - low <= 0.4 else 10 if high - low <= 0.7 else 20
    places = [place for place in range(0, 101, step) if round(low * 100) <= place <= round(high * 100)]
    axes.set_yticks([place / 100 for place in places], [f"{place}%" for place in places])
    axes.grid(axis="y", color=COLOURS["line"], linewidth=0.8)
