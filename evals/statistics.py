"""How much a pass rate measured on n samples is worth.

The interval is Wilson's score interval: E. B. Wilson (1927), "Probable
inference, the law of succession, and statistical inference", JASA 22;
recommended over Wald's and Clopper-Pearson's by Brown, Cai and DasGupta
(2001), Statistical Science 16. SciPy computes it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from scipy.stats import binomtest, norm

__all__ = ["Interval", "samples_to_decide", "wilson"]


class Interval(NamedTuple):
    """An interval for a proportion, ``0 <= low <= high <= 1``."""

    low: float
    high: float


def wilson(passed: int, total: int, *, confidence: float) -> Interval:
    """Wilson score interval for ``passed`` of ``total``.

    ``confidence`` is two-sided; a one-sided bound at 95 % is an end of the
    two-sided interval at 90 %. Raises ValueError for ``total < 1``, ``passed``
    outside ``0..total`` or ``confidence`` outside (0, 1).
    """
    if total < 1 or not 0 <= passed <= total:
        raise ValueError(f"cannot form a rate from {passed} of {total} samples")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}")
    interval = binomtest(passed, total).proportion_ci(confidence_level=confidence, method="wilson")
    return Interval(float(interval.low), float(interval.high))


def samples_to_decide(rate: float, minimum: float, *, confidence: float, power: float = 0.8) -> int | None:
    """Samples with which a one-sided test tells ``rate`` from ``minimum`` with ``power``.

    Normal approximation, n = ((z_a sqrt(p0 q0) + z_b sqrt(p1 q1)) / (p1 - p0))^2
    (Fleiss, Levin and Paik 2003, "Statistical Methods for Rates and
    Proportions", 2.14). None if the two are equal: no number decides then.
    """
    if math.isclose(rate, minimum):
        return None
    z_alpha, z_beta = norm.ppf(confidence), norm.ppf(power)
    spread = z_alpha * math.sqrt(minimum * (1 - minimum)) + z_beta * math.sqrt(rate * (1 - rate))
    return math.ceil((spread / (rate - minimum)) ** 2)
