"""The pass rate from few true labels and many verdicts of a judge.

Labels alone are honest and few; the judge alone is cheap and biased. The labels
show by how much the judge is off, and the judge's verdicts on everything else
take away part of the chance in which samples happened to be labelled.
"""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from evals.statistics import _checks as check
from evals.statistics.rates import Interval, wilson_of_rate

__all__ = ["PredictionPowered", "prediction_powered_mean", "prediction_powered_rate"]


class PredictionPowered(NamedTuple):
    """A mean, its interval, the ``weight`` given to the judge (0: none), and what it is worth in labels."""

    mean: float
    interval: Interval
    weight: float
    effective: float


class _Estimate(NamedTuple):
    mean: float
    weight: float
    label_variance: float
    residual_variance: float
    judge_variance: float


def prediction_powered_mean(
    truth: ArrayLike, judged: ArrayLike, unlabelled: ArrayLike, *, confidence: float
) -> PredictionPowered:
    """PPI++ mean with tuned weight, and its normal interval: the published method, for comparison.

    ``mean(y) + w (mean(f') - mean(f))`` for labels y, verdicts f on the same
    samples and f' on the n' others; ``w = cov(y, f) / ((1 + n/n') var(f, f'))``
    within 0..1; interval ``+- z sqrt(var(y - w f)/n + w^2 var(f')/n')``.
    A. Angelopoulos, J. Duchi and T. Zrnic (2023), "PPI++: efficient
    prediction-powered inference", arXiv:2311.01453; equals ``ppi_mean_ci`` of
    ppi-python 0.2.

    Raises ValueError for no labels, lists of different lengths, scores outside
    0..1 or NaN. Not with few failures: at 60 labels and a rate of .95 its 95 %
    interval covers 84 %, and with all labels alike it is a point. Use
    ``prediction_powered_rate``.
    """
    check.confidence_level(confidence)
    found, labels, others = _estimate(truth, judged, unlabelled)
    error = sqrt(found.residual_variance / labels + (found.judge_variance / others if others else 0.0))
    margin = float(ndtri((1 + confidence) / 2)) * error
    effective = found.label_variance / error**2 if error > 0 else float(labels)
    return PredictionPowered(
        found.mean, Interval(found.mean - margin, found.mean + margin), found.weight, max(float(labels), effective)
    )


def prediction_powered_rate(
    truth: ArrayLike, judged: ArrayLike, unlabelled: ArrayLike, *, confidence: float
) -> PredictionPowered:
    """PPI++ rate with tuned weight, and Wilson's interval at the number of labels it is worth.

    Mean and weight as in ``prediction_powered_mean``, the mean clipped to 0..1.
    The judge reduces the variance from ``var(y)/n`` to V; the interval is that of
    ``var(y)/V`` labels, at least n and at most all samples (see
    ``wilson_of_rate``), with n - 1 for n in the residual's variance. The
    interval is ours, after the effective sample sizes of survey statistics: a
    95 % one covers 95 % on average with 60 to 300 labels, the published one
    90-94 % (``benchmarks/gate_coverage.py``).

    The labels must be a random sample of everything judged, and ``unlabelled``
    the verdicts on the rest. Raises ValueError as ``prediction_powered_mean``
    does. One verdict may serve many samples, since the judge is taken as it is;
    one label may not. Not for labels chosen for their verdict or difficulty.
    """
    found, labels, others = _estimate(truth, judged, unlabelled)
    variance = found.residual_variance / max(labels - 1, 1) + (found.judge_variance / others if others else 0.0)
    worth = found.label_variance / variance if variance > 1e-15 else 0.0
    effective = min(float(labels + others), max(float(labels), worth))
    mean = min(1.0, max(0.0, found.mean))
    return PredictionPowered(mean, wilson_of_rate(mean, effective, confidence=confidence), found.weight, effective)


def _estimate(truth: ArrayLike, judged: ArrayLike, unlabelled: ArrayLike) -> tuple[_Estimate, int, int]:
    """The estimate and its parts, with the numbers of labelled and of other samples."""
    y, f = check.shares(truth, "truth"), check.shares(judged, "judged")
    rest = check.shares(unlabelled, "unlabelled", empty=True)
    check.same_length(truth=y, judged=f)
    if rest.size == 0:
        return _Estimate(float(y.mean()), 0.0, float(y.var()), float(y.var()), 0.0), y.size, 0
    spread = float(np.var(np.concatenate([f, rest]), ddof=1))
    covariance = float(np.mean((y - y.mean()) * (f - f.mean())))
    # Rounding makes a crumb of variance out of equal scores.
    weight = covariance / ((1 + y.size / rest.size) * spread) if spread > 1e-15 else 0.0
    weight = min(1.0, max(0.0, weight))
    found = _Estimate(
        mean=float(y.mean() + weight * (rest.mean() - f.mean())),
        weight=weight,
        label_variance=float(y.var()),
        residual_variance=float((y - weight * f).var()),
        judge_variance=weight**2 * float(rest.var()),
    )
    return found, y.size, rest.size
