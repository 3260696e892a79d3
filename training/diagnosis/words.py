"""Figures as a reader takes them in."""

from __future__ import annotations

from training.diagnosis.trends import Estimate

__all__ = ["number", "spread"]


def number(value: float) -> str:
    """Three significant digits."""
    return f"{value:.3g}"


def spread(estimate: Estimate) -> str:
    """A figure with its interval."""
    return f"{number(estimate.value)} ({number(estimate.low)} to {number(estimate.high)})"
