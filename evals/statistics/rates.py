"""How much a pass rate measured on n samples is worth.

A rate measured on n samples is a guess with a width. The gate asks for the
lower end of that width, never for the guess itself.

The interval is Wilson's: E. B. Wilson (1927), "Probable inference, the law of
succession, and statistical inference", JASA 22; recommended over Wald's and
Clopper-Pearson's by Brown, Cai and DasGupta (2001), "Interval estimation for a
binomial proportion", Statistical Science 16. It is written out here, although
SciPy has it, because every other interval of a rate in this package is
Wilson's with the number of independent samples that the data are worth, and
such numbers are not whole; SciPy's takes counts only. The tests hold it to SciPy's.
"""

from __future__ import annotations

from math import sqrt
from typing import Literal, NamedTuple

from scipy.special import ndtr, ndtri
from scipy.stats import binomtest

from evals.statistics import _checks as check

__all__ = ["Interval", "clopper_pearson", "score_test", "wilson", "wilson_lower", "wilson_of_rate", "wilson_upper"]


class Interval(NamedTuple):
    """``low <= high``: within 0..1 for a rate, within -1..1 for a difference, kappa or a correlation."""

    low: float
    high: float

    @property
    def width(self) -> float:
        """How far the ends lie apart."""
        return self.high - self.low


def wilson(passed: int, total: int, *, confidence: float) -> Interval:
    """Wilson score interval for ``passed`` of ``total``.

    The rates p with ``|passed/total - p| <= z sqrt(p (1 - p) / total)``.

    ``confidence`` is two-sided; a one-sided bound at 95 % is an end of the
    two-sided interval at 90 %. Raises ValueError for ``total < 1``, ``passed``
    outside ``0..total`` or ``confidence`` outside (0, 1).

    Not for samples that depend on one another (repeats, copies of a text, one
    verdict that serves many samples): there it is too narrow, see
    ``clustered_rate``.
    """
    check.counts(passed, total)
    return wilson_of_rate(passed / total, total, confidence=confidence)


def wilson_of_rate(rate: float, size: float, *, confidence: float) -> Interval:
    """Wilson score interval for a ``rate`` that is worth ``size`` independent samples.

    Centre ``(p + z^2/2n) / (1 + z^2/n)``, half-width
    ``z sqrt(p (1 - p)/n + z^2/4n^2) / (1 + z^2/n)``. ``size`` need not be whole:
    for an estimate p with variance V it is the effective sample size
    ``p (1 - p) / V`` (Kish 1965, "Survey Sampling"; Wilson's interval with it
    does well in Dean and Pagano 2015, "Evaluating confidence interval methods
    for binomial proportions in clustered surveys", J. Surv. Stat. Methodol. 3).

    Raises ValueError for a rate outside 0..1, ``size <= 0`` or ``confidence``
    outside (0, 1). Not for counts: ``wilson`` checks those.
    """
    check.share(rate, "a rate")
    check.confidence_level(confidence)
    if not size > 0:
        raise ValueError(f"a rate must be worth more than {size} samples")
    square = float(ndtri((1 + confidence) / 2)) ** 2 / size
    centre = (rate + square / 2) / (1 + square)
    margin = sqrt(square * (rate * (1 - rate) + square / 4)) / (1 + square)
    # At the ends of the scale rounding would leave an ulp.
    return Interval(0.0 if rate == 0 else max(0.0, centre - margin), 1.0 if rate == 1 else min(1.0, centre + margin))


def wilson_lower(passed: int, total: int, *, confidence: float) -> float:
    """One-sided lower Wilson bound: the rate is at least this with ``confidence``.

    What the gate passes on. At a true rate equal to the threshold it is wrong
    in about ``1 - confidence`` of all runs: exactly, by enumeration, in at most
    7 % for 50 samples and more and 5.5 % from 550 on, thresholds .50 to .95
    (``benchmarks/gate_coverage.py``).

    Raises ValueError as ``wilson`` does, and for ``confidence <= 0.5``. Not for
    thresholds above .95 where 5 % must be 5 %: at .99 it is wrong in up to 6 %
    even with 600 samples; ``clopper_pearson`` never is in more than 5 %.
    """
    check.one_sided_level(confidence)
    return wilson(passed, total, confidence=2 * confidence - 1).low


def wilson_upper(passed: int, total: int, *, confidence: float) -> float:
    """One-sided upper Wilson bound: the rate is at most this with ``confidence``.

    What the gate fails on. With high thresholds and few samples it errs more
    often than ``wilson_lower`` does, because rates near 1 are skewed: near 50
    samples in up to 7.1 % of all runs at .80 and 9.5 % at .95.

    Raises ValueError as ``wilson_lower`` does. Not, for the same reason, to
    reject at thresholds above .95: ``clopper_pearson``.
    """
    check.one_sided_level(confidence)
    return wilson(passed, total, confidence=2 * confidence - 1).high


def clopper_pearson(passed: int, total: int, *, confidence: float) -> Interval:
    """The "exact" interval of Clopper and Pearson (1934), Biometrika 26, as SciPy computes it.

    The rates that neither one-sided exact binomial test at ``(1 - confidence)/2``
    rejects. It never covers less than ``confidence``, hence mostly more: for
    promises that must hold at every rate. Not where a width is to be read as
    what is known (Brown, Cai and DasGupta 2001: "wastefully conservative").

    Raises ValueError as ``wilson`` does.
    """
    check.counts(passed, total)
    check.confidence_level(confidence)
    interval = binomtest(passed, total).proportion_ci(confidence_level=confidence, method="exact")
    return Interval(float(interval.low), float(interval.high))


def score_test(passed: int, total: int, rate: float, *, alternative: Literal["less", "greater"]) -> float:
    """One-sided p-value of "the true rate is ``rate``" against less or greater.

    ``z = (passed/total - rate) / sqrt(rate (1 - rate) / total)``, the test that
    Wilson's bounds invert: it is below 5 % exactly if the one-sided bound at
    95 % excludes ``rate``. Feeds ``holm`` when failed categories are named.

    Raises ValueError as ``wilson`` does, and for ``rate`` outside (0, 1): a
    single sample refutes a rate of 0 or 1.
    """
    check.counts(passed, total)
    if not 0 < rate < 1:
        raise ValueError(f"a rate to test must lie between 0 and 1, not {rate}")
    distance = (passed / total - rate) / sqrt(rate * (1 - rate) / total)
    return float(ndtr(distance if alternative == "less" else -distance))
