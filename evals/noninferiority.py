"""Is the new model no worse than the baseline, and if that is open: how many samples would tell?"""

from __future__ import annotations

from math import inf, sqrt
from statistics import NormalDist
from typing import Literal, NamedTuple

from evals.deciding import round_up
from evals.statistics import noninferiority, noninferiority_samples, paired_difference
from evals.statistics.paired import score_distance

__all__ = ["NoWorse", "no_worse"]

_POWER = 0.8
_PRACTICABLE = 1_000_000


class NoWorse(NamedTuple):
    """A difference of pass rates, new less baseline, against the loss that is still no worse."""

    outcome: Literal["pass", "fail", "inconclusive"]
    difference: float
    low: float
    """One-sided lower bound."""
    high: float
    """One-sided upper bound."""
    margin: float
    confidence: float
    """Of each bound."""
    way_out: str
    """How many samples would decide it, in words; empty if it is decided."""


def no_worse(gained: int, lost: int, samples: int, *, margin: float, confidence: float) -> NoWorse:
    """Is the new pass rate at most ``margin`` below the baseline's?

    Pass: even the lower bound of the difference is not that far below. Fail: the
    upper bound is. Raises ValueError as `evals.statistics.noninferiority` does.
    """
    test = noninferiority(gained, lost, samples, margin=margin, confidence=confidence)
    high = paired_difference(gained, lost, samples, confidence=2 * confidence - 1).high
    way_out = ""
    outcome: Literal["pass", "fail", "inconclusive"] = "pass" if test.holds else "fail"
    if not test.holds and high >= -margin:
        outcome, way_out = "inconclusive", _way_out(gained, lost, samples, margin, confidence)
    return NoWorse(outcome, test.difference, test.lower, high, margin, confidence, way_out)


def _way_out(gained: int, lost: int, samples: int, margin: float, confidence: float) -> str:
    difference, discordance = (gained - lost) / samples, (gained + lost) / samples
    gap = difference + margin
    needed = inf
    if abs(gap) > 1e-6:
        # By a normal distribution with the spread at the margin and at the truth; exact numbers are known for one
        # direction only, and take long if large.
        at_margin = abs(gap) * sqrt(samples) / abs(float(score_distance(gained, lost, samples, -margin)))
        at_truth = sqrt(max(0.0, discordance - difference**2))
        z = NormalDist().inv_cdf
        needed = ((z(confidence) * at_margin + z(_POWER) * at_truth) / gap) ** 2
    if needed > _PRACTICABLE:
        return "so close to the margin, no practicable number of samples decides it"
    if gap > 0:
        exact = noninferiority_samples(difference, discordance, margin=margin, confidence=confidence, power=_POWER)
        needed = exact or needed
    needed = max(needed, samples + 1)
    return f"if this is the true difference, about {round_up(needed):,} samples decide it with 80% power"
