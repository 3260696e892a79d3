"""What a judge gets wrong: how often it passes what is right, and fails what is wrong.

Passing counts as positive: sensitivity is the share of truly passing samples
that the judge passes, specificity the share of truly failing ones that it fails.

One verdict serves every sample of a pair (actual, expected), so thousands of
samples may tell no more about the judge than the twenty pairs behind them:
pooled over samples a 95 % interval covered 17 % in a simulation.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from evals.statistics import _checks as check
from evals.statistics.clusters import ClusteredRate, clustered_rate

__all__ = ["Confusion", "JudgeError", "judge_error"]


class Confusion(NamedTuple):
    """Samples by truth and verdict."""

    true_pass: int
    false_fail: int
    false_pass: int
    true_fail: int


class JudgeError(NamedTuple):
    """A judge against truth; a rate is None where no sample could show it.

    ``samples`` and ``clusters`` of each rate are the two numbers to print.
    """

    confusion: Confusion
    accuracy: ClusteredRate
    sensitivity: ClusteredRate | None
    specificity: ClusteredRate | None


def judge_error(
    truth: ArrayLike, judged: ArrayLike, *, pairs: Iterable[Hashable] | None = None, confidence: float
) -> JudgeError:
    """Sensitivity, specificity and accuracy of a judge, clustered on ``pairs`` (default: each sample alone).

    ``clustered_rate`` gives the intervals; without pairs they are Wilson's. With
    one verdict per pair they are Wilson's at Kish's effective number of pairs,
    and a 95 % one covers 95-97 % on average. They speak of pairs like these, weighted as the
    samples weigh them.

    Raises ValueError for empty lists, lists of different lengths and values
    that are neither 0 nor 1. Not for truth that another judge supplied: that is
    agreement (``cohen_kappa``).
    """
    right, passed = check.verdicts(truth, "truth"), check.verdicts(judged, "judged")
    names = list(range(right.size)) if pairs is None else list(pairs)
    check.same_length(truth=right, judged=passed, pairs=names)
    agrees = (right == passed).astype(np.float64)

    def share(chosen: check.Floats) -> ClusteredRate | None:
        rows = np.flatnonzero(chosen)
        if rows.size == 0:
            return None
        return clustered_rate(agrees[rows], [names[row] for row in rows], confidence=confidence)

    return JudgeError(
        confusion=Confusion(
            true_pass=int((right * passed).sum()),
            false_fail=int((right * (1 - passed)).sum()),
            false_pass=int(((1 - right) * passed).sum()),
            true_fail=int(((1 - right) * (1 - passed)).sum()),
        ),
        accuracy=clustered_rate(agrees, names, confidence=confidence),
        sensitivity=share(right),
        specificity=share(1 - right),
    )
