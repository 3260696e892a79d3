"""How many samples a comparison with a baseline needs.

Exact as well: all numbers of differing samples and all their divisions into
gained and lost are enumerated, up to a probability of 1e-9.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import binom

from evals.statistics import _checks as check
from evals.statistics.paired import score_distance

__all__ = ["noninferiority_power", "noninferiority_samples", "paired_power", "paired_samples"]

_Counts = NDArray[np.int64]


def paired_power(difference: float, discordance: float, samples: int, *, confidence: float) -> float:
    """Probability that McNemar's mid-p test calls two models different.

    ``difference`` is new minus baseline, ``discordance`` the share of samples on
    which the two disagree: (discordance + difference)/2 are gained. The test is
    two-sided at ``1 - confidence``. Its level and power are compared with the
    other tests' by Fagerland, Lydersen and Laake (2013), BMC Med. Res. Methodol. 13:91.

    Raises ValueError for ``samples < 1``, a discordance outside 0..1 or smaller
    than the difference, ``confidence`` outside (0, 1). Not with a discordance
    taken from the very comparison that is being planned.
    """
    check.confidence_level(confidence)
    differing, weights, share = _differing(difference, discordance, samples)

    def rejects(gained: _Counts) -> NDArray[np.bool_]:
        # More gained than lost: the mid-p value as in mcnemar_midp, elementwise.
        lost = differing - gained
        midp = 2 * binom.cdf(lost - 1, differing, 0.5) + binom.pmf(lost, differing, 0.5)
        return (gained > lost) & (midp < 1 - confidence)

    enough = _fewest(rejects, differing)
    better = binom.sf(enough - 1, differing, share)
    worse = binom.cdf(differing - enough, differing, share)
    return float((weights * (better + worse)).sum())


def noninferiority_power(
    difference: float, discordance: float, samples: int, *, margin: float, confidence: float
) -> float:
    """Probability that ``noninferiority`` holds for a true ``difference`` and ``discordance``.

    With ``difference = -margin`` it is the test's error rate. ``confidence`` is
    one-sided. Raises ValueError as ``paired_power`` does, and for a margin
    outside [0, 1) or ``confidence <= 0.5``.
    """
    check.one_sided_level(confidence)
    if not 0 <= margin < 1:
        raise ValueError(f"the margin must lie between 0 and 1, not {margin}")
    differing, weights, share = _differing(difference, discordance, samples)
    z = float(ndtri(confidence))

    def holds(gained: _Counts) -> NDArray[np.bool_]:
        return score_distance(gained, differing - gained, samples, -margin) > z

    return float((weights * binom.sf(_fewest(holds, differing) - 1, differing, share)).sum())


def paired_samples(difference: float, discordance: float, *, confidence: float, power: float) -> int | None:
    """Samples with which ``paired_power`` reaches ``power``; None if the difference is 0.

    Within the sawtooth of exact power: a few samples fewer may do as well.
    Raises ValueError as ``paired_power`` does, for a power outside (0, 1), and if
    more than 100 million samples would be needed.
    """
    if difference == 0:
        return None
    return _smallest(lambda n: paired_power(difference, discordance, n, confidence=confidence), power)


def noninferiority_samples(
    difference: float, discordance: float, *, margin: float, confidence: float, power: float
) -> int | None:
    """Samples with which ``noninferiority_power`` reaches ``power``; None if the truth is no better than the margin.

    As ``paired_samples``, and raises ValueError as ``noninferiority_power`` does.
    """
    if difference <= -margin:
        return None
    return _smallest(
        lambda n: noninferiority_power(difference, discordance, n, margin=margin, confidence=confidence), power
    )


def _differing(difference: float, discordance: float, samples: int) -> tuple[_Counts, check.Floats, float]:
    """Likely numbers of differing samples, their probabilities, and the share that is gained."""
    check.share(discordance, "the share of differing samples")
    if not abs(difference) <= discordance:
        raise ValueError(f"models that differ on {discordance} of the samples cannot differ by {difference}")
    if samples < 1:
        raise ValueError(f"a comparison needs samples, not {samples}")
    low, high = (int(binom.ppf(end, samples, discordance)) for end in (5e-10, 1 - 5e-10))
    differing = np.arange(low, high + 1)
    share = (discordance + difference) / (2 * discordance) if discordance else 0.5
    return differing, binom.pmf(differing, samples, discordance), min(1.0, max(0.0, share))


def _fewest(accepts: Callable[[_Counts], NDArray[np.bool_]], differing: _Counts) -> _Counts:
    """Per number of differing samples the fewest gained ones that ``accepts``, or one more than there are."""
    low, high = np.zeros_like(differing), differing + 1
    while (low < high).any():
        middle = (low + high) // 2
        # The number beyond the last stands for "never" and is not asked about.
        enough = accepts(np.minimum(middle, differing)) & (middle <= differing)
        open_ = low < high
        low = np.where(open_ & ~enough, middle + 1, low)
        high = np.where(open_ & enough, middle, high)
    return low


def _smallest(power_at: Callable[[int], float], power: float) -> int:
    if not 0 < power < 1:
        raise ValueError(f"power must lie between 0 and 1, not {power}")
    high = 8
    while power_at(high) < power:
        high *= 2
        if high > 10**8:
            raise ValueError(f"more than 100 million samples would be needed for a power of {power}")
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power_at(middle) >= power else (middle, high)
    return high
