"""Macro F1 with an interval: the mean over classes of how well each is found."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from evals.statistics import _checks as check
from evals.statistics.rates import Interval, wilson_of_rate

__all__ = ["MacroF1", "macro_f1"]


class MacroF1(NamedTuple):
    """Mean F1 of the classes that occur; ``absent`` ones were neither true nor predicted."""

    score: float
    interval: Interval
    classes: int
    absent: int


def macro_f1(table: ArrayLike, *, confidence: float, classes: int | None = None) -> MacroF1:
    """Macro F1 of a square ``table`` of counts, true classes by predicted ones.

    The mean is over the first ``classes`` of the table; what follows is, for
    example, a column of answers that name no class. None means all.

    The mean of ``2 t / d`` for t hits of a class and d times that it was true or
    predicted (both counted). Its variance is the sum over cells of
    ``n_ij (2 [i = j] / d_i - F_i / d_i - F_j / d_j)^2 / K^2``, terms of classes
    outside the mean left out (delta method;
    Takahashi, Yamamoto, Kuchiba and Koyama 2022, "Confidence interval for
    micro-averaged F1 and macro-averaged F1 scores", Applied Intelligence 52); the
    interval is Wilson's at the number of samples that this makes (see
    ``wilson_of_rate``), at most all. With every class present a 95 % one covers
    95 % on average, the normal one 90-95 %.

    Raises ValueError for a table that is not square, has negative or fractional
    numbers, or is empty. Not with classes that have a handful of samples, or
    none: what is not seen is left out of the mean, and no interval knows of it.
    """
    counts = np.asarray(table, dtype=np.float64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError(f"a table of true by predicted classes must be square, not {counts.shape}")
    if not (np.isfinite(counts).all() and (counts >= 0).all() and (counts == np.floor(counts)).all()):
        raise ValueError("a table of true by predicted classes holds whole numbers of samples only")
    if counts.sum() == 0:
        raise ValueError("no F1 can be formed from 0 samples")
    check.confidence_level(confidence)
    involved = counts.sum(axis=0) + counts.sum(axis=1)
    present = involved > 0
    counts, involved = counts[np.ix_(present, present)], involved[present]
    counted = (np.arange(present.size) < (present.size if classes is None else classes))[present].astype(np.float64)
    if not counted.any():
        raise ValueError(f"none of the first {classes} classes has a sample")
    each = 2 * np.diagonal(counts) / involved
    score = float((each * counted).sum() / counted.sum())
    part = counted * each / involved
    influence = -part[:, None] - part[None, :]
    influence[np.diag_indices_from(influence)] += 2 * counted / involved
    variance = float((counts * influence**2).sum()) / float(counted.sum()) ** 2
    samples = float(counts.sum())
    effective = min(samples, score * (1 - score) / variance) if variance > 1e-15 and 0 < score < 1 else samples
    return MacroF1(
        score=score,
        interval=wilson_of_rate(min(1.0, score), effective, confidence=confidence),
        classes=int(counted.sum()),
        absent=int((~present[:classes]).sum()),
    )
