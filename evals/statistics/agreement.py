"""How far two raters, or a judge and the truth, agree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from math import sqrt
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import kendalltau, spearmanr

from evals.statistics import _checks as check
from evals.statistics.rates import Interval, wilson_of_rate

__all__ = ["Kappa", "RankCorrelation", "cohen_kappa", "rank_correlation"]


class Kappa(NamedTuple):
    """Agreement beyond chance; ``kappa``, its interval and its standard error are None where chance explains all."""

    kappa: float | None
    interval: Interval | None
    standard_error: float | None
    observed: float
    by_chance: float
    samples: int


class RankCorrelation(NamedTuple):
    """A rank correlation over all samples, and its mean over groups; None where nothing varies.

    ``skipped`` of the ``groups`` have one sample only or one score throughout,
    and take no part in the mean.
    """

    pooled: float | None
    grouped: float | None
    groups: int
    skipped: int


def cohen_kappa(first: Sequence[Hashable], second: Sequence[Hashable], *, confidence: float) -> Kappa:
    """Cohen's kappa of two lists of labels for the same samples, with an interval.

    ``(o - e) / (1 - e)`` with o the share of equal labels and e the share that
    the two raters' frequencies would give by chance (Cohen 1960, Educ. Psychol.
    Meas. 20). The interval is Wilson's for o, carried through that formula with e
    as observed. A 95 % one covers 95-96 % on average from 20 samples on, where
    kappa +- z standard errors covers 60 % at 20 and 83 % at 70, and is a point
    at full agreement; the standard error (Fleiss, Cohen and Everitt 1969,
    Psychol. Bull. 72) is given for comparison with other programs.

    Undefined (None) if both raters give one and the same label throughout:
    chance then explains everything. Raises ValueError for empty lists, lists of
    different lengths, and labels that do not equal themselves (NaN).

    Not to compare judges on data of different prevalence (kappa falls with
    it), and not for ordered scores: see ``rank_correlation``.
    """
    check.confidence_level(confidence)
    table = _cross_table(first, second)
    samples = int(table.sum())
    cells = table / samples
    rows, columns = cells.sum(axis=1), cells.sum(axis=0)
    observed, by_chance = float(np.trace(cells)), float((rows * columns).sum())
    if np.count_nonzero(table) == 1 and observed == 1:
        return Kappa(None, None, None, observed, by_chance, samples)
    kappa = (observed - by_chance) / (1 - by_chance)
    low, high = wilson_of_rate(min(1.0, observed), samples, confidence=confidence)
    return Kappa(
        kappa=kappa,
        interval=Interval(max(-1.0, (low - by_chance) / (1 - by_chance)), (high - by_chance) / (1 - by_chance)),
        standard_error=_standard_error(cells, kappa) / sqrt(samples),
        observed=observed,
        by_chance=by_chance,
        samples=samples,
    )


def rank_correlation(
    first: ArrayLike,
    second: ArrayLike,
    *,
    kind: Literal["spearman", "kendall"],
    groups: Iterable[Hashable] | None = None,
) -> RankCorrelation:
    """Spearman's rho or Kendall's tau-b between two lists of scores, pooled and as the mean over ``groups``.

    Pooled, a judge is rewarded for knowing which prompts are hard; grouped by
    prompt, only for telling good from bad answers to the same one (Deutsch,
    Foster and Freitag 2023, "Ties matter", EMNLP, discuss both). So give both,
    with the number of groups that could not be used. SciPy computes each.

    Raises ValueError for lists that are empty, of different lengths or with
    NaN or infinite scores. Not to show that two raters give the same scores:
    ranks ignore shifts. Intervals: ``bootstrap_interval``.
    """
    one, two = check.scores(first, "first"), check.scores(second, "second")
    check.same_length(first=one, second=two)

    def correlation(rows: Sequence[int]) -> float | None:
        ours, theirs = one[rows], two[rows]
        if np.ptp(ours) == 0 or np.ptp(theirs) == 0:
            return None
        found = spearmanr(ours, theirs) if kind == "spearman" else kendalltau(ours, theirs)
        return float(found.statistic)

    pooled = correlation(range(one.size))
    if groups is None:
        return RankCorrelation(pooled, None, 0, 0)
    members: defaultdict[Hashable, list[int]] = defaultdict(list)
    names = list(groups)
    check.same_length(scores=one, groups=names)
    for row, name in enumerate(names):
        members[name].append(row)
    found = [value for rows in members.values() if (value := correlation(rows)) is not None]
    return RankCorrelation(pooled, float(np.mean(found)) if found else None, len(members), len(members) - len(found))


def _cross_table(first: Sequence[Hashable], second: Sequence[Hashable]) -> check.Floats:
    check.same_length(first=first, second=second)
    if len(first) == 0:
        raise ValueError("no agreement can be measured on 0 samples")
    numbers: dict[Hashable, int] = {}
    for position, label in enumerate([*first, *second]):
        if label != label:
            raise ValueError(f"label {position % len(first)} of {len(first)} is {label}")
        numbers.setdefault(label, len(numbers))
    table = np.zeros((len(numbers), len(numbers)))
    np.add.at(table, ([numbers[label] for label in first], [numbers[label] for label in second]), 1)
    return table


def _standard_error(cells: check.Floats, kappa: float) -> float:
    """Asymptotic standard error for one sample, formula 13 of Fleiss, Cohen and Everitt (1969)."""
    rows, columns = cells.sum(axis=1), cells.sum(axis=0)
    by_chance = float((rows * columns).sum())
    agreeing = np.diagonal(cells)
    crossed = cells * (columns[:, None] + rows[None, :]) ** 2
    variance = (
        (agreeing * (1 - (rows + columns) * (1 - kappa)) ** 2).sum()
        + (1 - kappa) ** 2 * (crossed.sum() - np.trace(crossed))
        - (kappa - by_chance * (1 - kappa)) ** 2
    )
    return sqrt(max(0.0, float(variance))) / (1 - by_chance)
