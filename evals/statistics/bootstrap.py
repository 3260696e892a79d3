"""Intervals for anything else: draw the samples again and see what varies."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import DegenerateDataWarning, bootstrap

from evals.statistics import _checks as check
from evals.statistics.rates import Interval

__all__ = ["bootstrap_interval"]

_Rows = NDArray[np.int64]


def bootstrap_interval(
    statistic: Callable[[_Rows], float],
    samples: int,
    *,
    seed: int,
    confidence: float,
    clusters: Iterable[Hashable] | None = None,
    resamples: int = 2000,
    method: Literal["BCa", "percentile"] = "percentile",
) -> Interval | None:
    """Bootstrap interval of ``statistic``, a function of row numbers drawn with replacement.

    Rows are drawn singly, or whole ``clusters`` of them. The method is SciPy's
    (Efron and Tibshirani 1993, "An Introduction to the Bootstrap"): percentiles
    of the ``resamples`` values, or BCa, which corrects for skewness at the cost
    of one evaluation per sample. Draws on which the statistic is undefined
    (NaN: a correlation of constant scores) do not count. Equal seeds give equal
    intervals. None if the statistic is undefined on every draw.

    Raises ValueError for ``samples < 1``, ``resamples < 100``, clusters of another
    length, ``confidence`` outside (0, 1). Not for rates, nor wherever all
    samples may agree: redrawing what never varies gives a width of zero, where
    Wilson's interval knows better. Not with fewer than about 20 samples or clusters.
    """
    check.confidence_level(confidence)
    if samples < 1 or resamples < 100:
        raise ValueError(f"cannot draw {resamples} times from {samples} samples: at least 100 times from 1 are needed")
    units = _units(samples, clusters)

    def of_units(chosen: _Rows) -> float:
        return float(statistic(np.concatenate([units[unit] for unit in chosen]) if clusters is not None else chosen))

    if len(units) == 1:
        # SciPy wants two; of one unit every draw is the same.
        only = of_units(np.zeros(1, dtype=np.int64))
        return None if np.isnan(only) else Interval(only, only)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # What SciPy cannot compute comes back as NaN, and is dealt with below.
        warnings.simplefilter("ignore", DegenerateDataWarning)
        drawn = bootstrap(
            (np.arange(len(units)),),
            of_units,
            n_resamples=resamples,
            confidence_level=confidence,
            vectorized=False,
            method=method,
            random_state=np.random.default_rng(seed),
        )
    low, high = drawn.confidence_interval
    values = drawn.bootstrap_distribution[~np.isnan(drawn.bootstrap_distribution)]
    if np.isnan(low) or np.isnan(high):
        if values.size == 0:
            return None
        low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))


def _units(samples: int, clusters: Iterable[Hashable] | None) -> list[_Rows]:
    if clusters is None:
        return list(np.arange(samples)[:, None])
    names = list(clusters)
    check.same_length(samples=range(samples), clusters=names)
    members: defaultdict[Hashable, list[int]] = defaultdict(list)
    for row, name in enumerate(names):
        members[name].append(row)
    return [np.asarray(rows) for rows in members.values()]
