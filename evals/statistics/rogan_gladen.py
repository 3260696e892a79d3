"""The pass rate behind a judge's pass rate, by its known sensitivity and specificity.

Needs no labels on the samples at hand: those on which the judge's errors were
measured may have any share of failures. It assumes that the judge errs there
as it errs here.
"""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

from scipy.special import ndtri

from evals.statistics import _checks as check
from evals.statistics.rates import Interval

__all__ = ["Estimate", "allocate_labels", "rogan_gladen"]


class Estimate(NamedTuple):
    """A corrected pass rate and its interval."""

    rate: float
    interval: Interval


def rogan_gladen(
    *,
    pass_rate: float,
    samples: float,
    sensitivity: float,
    passing_labels: float,
    specificity: float,
    failing_labels: float,
    confidence: float,
) -> Estimate:
    """Rogan and Gladen's corrected rate with the interval of Lee et al.

    Rate: ``(p + spec - 1) / (sens + spec - 1)``, clipped to 0..1 (Rogan and Gladen
    1978, Am. J. Epidemiol. 107). Interval: C. Lee, T. Zeng, J. Jeong, J. Sohn and
    K. Lee (2025), "How to correctly report LLM-as-a-judge evaluations",
    arXiv:2511.21140, after Lang and Reiczigel (2014), Prev. Vet. Med. 113: with
    z^2/2 passes and failures added to p, and one of each to sens and spec,
    ``t + 2 z^2 (t v1 - (1 - t) v0) +- z sqrt(vp + (1 - t)^2 v0 + t^2 v1) / J``,
    where v are the variances of the means, J = sens + spec - 1 and t the rate,
    all with the additions.

    ``samples`` is how many the judge passed or failed, ``passing_labels`` and
    ``failing_labels`` how many samples of known truth sens and spec rest on;
    for clustered ones give the effective numbers. A 95 % interval covers 95-97 %
    on average with 100 labels and more, 97-98 % with 20 or 30 of each kind.

    Raises ValueError for shares outside 0..1, numbers below 1, and a judge not
    shown to be better than chance: sensitivity + specificity <= 1, with or
    without the additions; and for a pass rate that such a judge cannot give,
    the whole interval lying outside 0..1. Not where the labels are a random sample of what was
    judged: then ``prediction_powered_rate`` is tighter and assumes less.
    """
    for value, name in ((pass_rate, "pass rate"), (sensitivity, "sensitivity"), (specificity, "specificity")):
        check.share(value, f"the {name}")
    for number, name in ((samples, "samples"), (passing_labels, "passing labels"), (failing_labels, "failing labels")):
        if not number >= 1:
            raise ValueError(f"at least one of the {name} is needed, not {number}")
    check.confidence_level(confidence)
    z = float(ndtri((1 + confidence) / 2))
    passes = (samples * pass_rate + z**2 / 2) / (samples + z**2)
    sens = (passing_labels * sensitivity + 1) / (passing_labels + 2)
    spec = (failing_labels * specificity + 1) / (failing_labels + 2)
    raw_youden, youden = sensitivity + specificity - 1, sens + spec - 1
    # Shares such as .8 and .2 add up to a hair above 1.
    if raw_youden <= 1e-12 or youden <= 1e-12:
        raise ValueError(
            f"a judge with sensitivity {sensitivity:.3g} and specificity {specificity:.3g} is not shown to be better "
            "than chance (their sum must exceed 1): its pass rate cannot be corrected"
        )
    rate = (passes + spec - 1) / youden
    of_passes = passes * (1 - passes) / (samples + z**2)
    of_sens = sens * (1 - sens) / (passing_labels + 2)
    of_spec = spec * (1 - spec) / (failing_labels + 2)
    centre = rate + 2 * z**2 * (rate * of_sens - (1 - rate) * of_spec)
    margin = z * sqrt(of_passes + (1 - rate) ** 2 * of_spec + rate**2 * of_sens) / youden
    if centre - margin >= 1 or centre + margin <= 0:
        # Clipped, this would be an interval of no width, and pass any gate.
        raise ValueError(
            f"a judge with sensitivity {sensitivity:.3g} and specificity {specificity:.3g} does not pass "
            f"{pass_rate:.3g} of any samples: it errs differently here than where it was measured"
        )
    return Estimate(
        rate=_clip((pass_rate + specificity - 1) / raw_youden),
        interval=Interval(_clip(centre - margin), _clip(centre + margin)),
    )


def allocate_labels(
    labels: int, *, pass_rate: float, sensitivity: float, specificity: float, pilot: int
) -> tuple[int, int]:
    """How many of ``labels`` to spend on failing and on passing samples: (failing, passing).

    Algorithm 1 of Lee et al. (2025), which makes the interval about as short as
    can be for a fairly good judge: ``passing = labels / (1 + (1/p - 1) k)`` with
    ``k^2 = (1 - spec) / (1 - sens)``, spec and sens estimated from ``pilot`` labels
    of each kind with one pass and one failure added; never fewer than the pilot.

    Raises ValueError for shares outside 0..1, a pilot < 1, and fewer labels than
    both pilots. Not for a judge near chance: the rule supposes few errors.
    """
    for value, name in ((pass_rate, "pass rate"), (sensitivity, "sensitivity"), (specificity, "specificity")):
        check.share(value, f"the {name}")
    if pilot < 1 or labels < 2 * pilot:
        raise ValueError(f"{labels} labels cannot hold a pilot of {pilot} of each kind")
    sens, spec = ((pilot * value + 1) / (pilot + 2) for value in (sensitivity, specificity))
    failing_share = (1 - pass_rate) * sqrt((1 - spec) / (1 - sens))
    passing = min(labels - pilot, max(pilot, round(labels * pass_rate / (pass_rate + failing_share))))
    return labels - passing, passing


def _clip(value: float) -> float:
    return min(1.0, max(0.0, value))
