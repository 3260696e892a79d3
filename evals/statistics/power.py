"""How many samples a gate needs, and what it says with fewer.

The answers are exact: all outcomes of n samples are enumerated. Only for
hundreds of thousands of samples the normal approximation stands in.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri
from scipy.stats import binom

from evals.statistics import _checks as check
from evals.statistics.rates import wilson_lower, wilson_upper

__all__ = ["GateChances", "gate_chances", "gate_samples", "samples_to_decide"]

# Beyond, the approximation is off by less than one part in a thousand.
_ENUMERABLE = 200_000


class GateChances(NamedTuple):
    """Probabilities of what a gate says; they add up to 1."""

    passes: float
    inconclusive: float
    fails: float


def gate_chances(rate: float, minimum: float, samples: int, *, confidence: float) -> GateChances:
    """How a gate at ``minimum`` decides ``samples`` samples of a model whose true pass rate is ``rate``.

    Exact: the binomial probabilities of the counts with ``wilson_lower >=
    minimum`` (pass) and ``wilson_upper < minimum`` (fail). With ``rate`` equal to
    ``minimum`` these are the gate's two errors.

    Raises ValueError for shares outside 0..1, ``samples < 1`` or ``confidence``
    outside (.5, 1). Not for samples that depend on one another.
    """
    check.share(rate, "the true rate")
    check.share(minimum, "the required rate")
    check.one_sided_level(confidence)
    if samples < 1:
        raise ValueError(f"a gate needs samples, not {samples}")
    counts = range(samples + 1)
    passing = bisect_left(counts, minimum, key=lambda count: wilson_lower(count, samples, confidence=confidence))
    not_failing = bisect_left(counts, minimum, key=lambda count: wilson_upper(count, samples, confidence=confidence))
    passes = float(binom.sf(passing - 1, samples, rate))
    fails = float(binom.cdf(not_failing - 1, samples, rate))
    return GateChances(passes, max(0.0, 1 - passes - fails), fails)


def gate_samples(rate: float, minimum: float, *, confidence: float, power: float) -> int | None:
    """Samples from which on a gate decides rightly with at least ``power``, for good.

    Passes if ``rate`` is above ``minimum``, fails if below. Exact power goes up
    and down with n, by the steps of whole numbers; the answer is the smallest n
    after which it stays up. ``samples_to_decide`` is its normal approximation.
    None if the two rates are equal: no number decides then.

    Raises ValueError for shares outside (0, 1) or ``confidence`` outside (.5, 1).
    """
    check.one_sided_level(confidence)
    guess = samples_to_decide(rate, minimum, confidence=confidence, power=power)
    if guess is None or guess > _ENUMERABLE:
        return guess
    # The steps are at most 1/sqrt(n) high; at twice the guess the power is far above them.
    samples = np.arange(1, 2 * guess + 200)
    spread = float(ndtri(confidence)) * np.sqrt(samples * minimum * (1 - minimum))
    if rate > minimum:
        decided = binom.sf(np.ceil(samples * minimum + spread - 1e-9) - 1, samples, rate)
    else:
        # The bound must be below the minimum, not at it.
        decided = binom.cdf(np.ceil(samples * minimum - spread - 1e-9) - 1, samples, rate)
    return int(np.max(samples[decided < power], initial=0)) + 1


def samples_to_decide(rate: float, minimum: float, *, confidence: float, power: float = 0.8) -> int | None:
    """Samples with which a one-sided test tells ``rate`` from ``minimum`` with ``power``, about.

    Normal approximation, n = ((z_a sqrt(p0 q0) + z_b sqrt(p1 q1)) / (p1 - p0))^2
    (Fleiss, Levin and Paik 2003, "Statistical Methods for Rates and
    Proportions", 2.14). None if the two are equal: no number decides then.

    Raises ValueError for rates outside 0..1, and a confidence or power outside
    (0, 1). Not for promises: ``gate_samples`` is exact.
    """
    check.share(rate, "the true rate")
    check.share(minimum, "the required rate")
    check.confidence_level(confidence)
    if not 0 < power < 1:
        raise ValueError(f"power must lie between 0 and 1, not {power}")
    if math.isclose(rate, minimum):
        return None
    z_alpha, z_beta = float(ndtri(confidence)), float(ndtri(power))
    spread = z_alpha * math.sqrt(minimum * (1 - minimum)) + z_beta * math.sqrt(rate * (1 - rate))
    # A power that the test has without looking needs no samples to speak of.
    return max(1, math.ceil((max(0.0, spread) / (rate - minimum)) ** 2))
