"""How far raters agree with one another, and a judge with the truth."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import combinations

from evals.calibration.model import KappaInfo, RaterAgreement
from evals.calibration.ratings import Label
from evals.calibration.scale import Rating
from evals.statistics import Interval, cohen_kappa, rank_correlation

__all__ = ["agreement_of_raters", "kappa_info", "weak_agreement"]

_MODERATE = 0.4
"""Below, agreement is at best "fair" (Landis and Koch 1977, Biometrics 33)."""


def kappa_info(
    first: Sequence[Hashable], second: Sequence[Hashable], *, confidence: float, observed: Interval | None = None
) -> KappaInfo:
    """Cohen's kappa with its interval.

    ``observed`` is the interval of the share of equal answers where samples
    depend on one another: ``cohen_kappa`` takes them for independent, and
    carries its own interval of that share through the same formula.
    """
    found = cohen_kappa(first, second, confidence=confidence)
    interval = found.interval
    if interval is not None and observed is not None:
        low, high = ((end - found.by_chance) / (1 - found.by_chance) for end in observed)
        interval = Interval(max(-1.0, low), min(1.0, high))
    return KappaInfo(
        kappa=found.kappa,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        observed=found.observed,
        by_chance=found.by_chance,
        samples=found.samples,
    )


def agreement_of_raters(labels: Sequence[Label], raters: Sequence[str], confidence: float) -> list[RaterAgreement]:
    """Every two raters on what both rated: kappa, and the rank correlation of their scores."""
    rated: dict[str, dict[str, Rating]] = {rater: {} for rater in raters}
    for label in labels:
        rated[label.rater][label.id] = label.rating
    return [_agreement(one, two, rated[one], rated[two], confidence) for one, two in combinations(raters, 2)]


def _agreement(
    first: str, second: str, ours: dict[str, Rating], theirs: dict[str, Rating], confidence: float
) -> RaterAgreement:
    both = [(ours[sample], theirs[sample]) for sample in ours if sample in theirs]
    if not both:
        return RaterAgreement(first=first, second=second, samples=0, kappa=None, spearman=None)
    scores = [(one.score, two.score) for one, two in both if one.score is not None and two.score is not None]
    # Of scores, kappa asks whether the two would let the same samples pass.
    sides = [(one.passed, two.passed) if scores else (one.label, two.label) for one, two in both]
    return RaterAgreement(
        first=first,
        second=second,
        samples=len(both),
        kappa=kappa_info([one for one, _ in sides], [two for _, two in sides], confidence=confidence),
        spearman=rank_correlation(*zip(*scores, strict=True), kind="spearman").pooled if scores else None,
    )


def weak_agreement(agreement: Sequence[RaterAgreement]) -> list[str]:
    """A warning, if some raters hardly agree."""
    kappas = [(row.kappa.kappa, row) for row in agreement if row.kappa is not None and row.kappa.kappa is not None]
    kappa, row = min(kappas, key=lambda entry: entry[0], default=(1.0, None))
    if row is None or kappa >= _MODERATE:
        return []
    return [
        f"raters hardly agree ({row.first} and {row.second}: kappa {kappa:.2f}): no judge can be held to a truth that "
        "people do not share; say more clearly what a pass is, and have it rated again"
    ]
