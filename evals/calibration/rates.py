"""The pass rate, four ways, the recommended one first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from evals.calibration.model import EstimateRow, MeasuredRate, PassRates
from evals.statistics import Correction, Estimate, correct_pass_rate, rogan_gladen, wilson

__all__ = ["by_error_rates", "pass_rates", "rates_of_all"]

_Method = Literal["judge alone", "labels only", "Rogan-Gladen", "PPI++"]


def by_error_rates(
    rate: float, samples: int, sensitivity: MeasuredRate, specificity: MeasuredRate, *, confidence: float
) -> Estimate:
    """Rogan and Gladen's rate behind the judge's ``rate`` on ``samples``.

    The error rates are worth their distinct pairs, not the samples that share
    them: other samples come in other pairs. Raises ValueError where a judge with
    such errors cannot give such a rate, or none can be corrected.
    """
    return rogan_gladen(
        pass_rate=rate,
        samples=samples,
        sensitivity=sensitivity.rate,
        passing_labels=sensitivity.effective,
        specificity=specificity.rate,
        failing_labels=specificity.effective,
        confidence=confidence,
    )


def pass_rates(
    truth: Sequence[bool],
    judged: Sequence[bool],
    others: Sequence[bool],
    *,
    sensitivity: MeasuredRate | None,
    specificity: MeasuredRate | None,
    random_sample: bool,
    confidence: float,
) -> PassRates:
    """Rates from truth and verdicts on the labelled samples, and the verdicts on ``others``.

    ``correct_pass_rate`` decides between them. ``random_sample``: the labelled
    ones were drawn at random from all of them; if not, only the error rates
    carry over, which are worth their distinct pairs.
    """
    found = correct_pass_rate(truth, judged, others, random_sample=random_sample, confidence=confidence)
    if found.method == "Rogan-Gladen" and sensitivity is not None and specificity is not None:
        found = _by_pairs(found, len(others), sensitivity, specificity, confidence)
    number = len(others) + (len(truth) if random_sample else 0)
    recommended = None if found.method == "refused" else found.method
    rows = [
        _row("judge alone", found.raw, "as if the judge never erred"),
        _row("labels only", found.labels_only, f"the {len(truth)} labelled samples, without the judge"),
        _row("Rogan-Gladen", found.rogan_gladen, "the judge's rate, corrected by its error rates")
        if found.rogan_gladen is not None
        else _row("Rogan-Gladen", None, "the judge's error rates cannot correct this"),
        _row("PPI++", found.prediction_powered, "the labels' rate, sharpened by the judge's verdicts on the rest")
        if random_sample
        else _row("PPI++", None, "needs the labels of a random part"),
    ]
    return PassRates(
        recommended=recommended,
        reason=found.reason,
        judge_adds_nothing=found.judge_adds_nothing,
        about=f"the {number:,} samples that were judged"
        if random_sample
        else f"the {number:,} samples without a label",
        estimates=sorted(rows, key=lambda row: row.method != recommended),
    )


def _by_pairs(
    found: Correction, samples: int, sensitivity: MeasuredRate, specificity: MeasuredRate, confidence: float
) -> Correction:
    try:
        estimate = by_error_rates(found.raw.rate, samples, sensitivity, specificity, confidence=confidence)
    except ValueError as error:
        return found._replace(method="refused", recommended=None, rogan_gladen=None, reason=str(error))
    useless = found.judge_adds_nothing or estimate.interval.width > found.labels_only.interval.width
    return found._replace(recommended=estimate, rogan_gladen=estimate, judge_adds_nothing=useless)


def rates_of_all(truth: Sequence[bool], judged: Sequence[bool], *, total: int, confidence: float) -> PassRates:
    """The same where every verdict has a label: ``truth`` is theirs, and that of samples without a verdict."""
    right, passed = sum(truth), sum(judged)
    rows = [
        _row(
            "labels only",
            Estimate(right / len(truth), wilson(right, len(truth), confidence=confidence)),
            f"the truth: {right:,} of {len(truth):,} samples",
        ),
        _row(
            "judge alone",
            Estimate(passed / len(judged), wilson(passed, len(judged), confidence=confidence)),
            "as if the judge never erred",
        ),
        _row("Rogan-Gladen", None, "nothing left to correct"),
        _row("PPI++", None, "nothing left to sharpen"),
    ]
    return PassRates(
        recommended="labels only",
        reason="every judged sample is labelled: the labels are the truth and need no correction",
        judge_adds_nothing=True,
        about=f"all {total:,} samples" if len(truth) == total else f"the {len(truth):,} labelled samples",
        estimates=rows,
    )


def _row(method: _Method, estimate: Estimate | None, meaning: str) -> EstimateRow:
    if estimate is None:
        return EstimateRow(method=method, rate=None, low=None, high=None, meaning=meaning)
    low, high = estimate.interval
    return EstimateRow(method=method, rate=estimate.rate, low=low, high=high, meaning=meaning)
