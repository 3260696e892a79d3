"""What a report holds against or for its model: the input of the gate."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from evals.conditions import Evidence, Judged, Paired
from evals.reports.model import Report
from evals.reports.trust import JudgeTruth, RateInfo
from evals.statistics import ClusteredRate, judge_error

if TYPE_CHECKING:
    from evals.calibration import CorrectedRate

__all__ = ["evidence", "judge_truth", "judged_samples", "unanswered"]

_RELATED = 0.5
"""What a related category gets: at thresholds up to it, passing does not mean being right."""


def unanswered(report: Report) -> int:
    """Samples without an answer: a chat model may not get that far, while news without a prediction are an error."""
    return sum(row.measures is None for row in report.samples) if report.task == "chat" else 0


def judged_samples(report: Report) -> list[Judged]:
    """Scored samples with what their labels say; empty where passing does not mean being right, and for chat."""
    if report.task != "text-classification" or report.judge.threshold <= _RELATED:
        return []
    return [
        Judged(row.predicted == row.expected, row.state == "passed", (row.predicted, row.expected))
        for row in report.samples
        if row.state != "unscored"
    ]


def judge_truth(report: Report, *, confidence: float) -> JudgeTruth | None:
    """The judge's errors against the labels; ``confidence`` is two-sided."""
    judged = judged_samples(report)
    if not judged:
        return None
    measured = judge_error(
        [sample.right for sample in judged],
        [sample.passed for sample in judged],
        pairs=[sample.pair for sample in judged],
        confidence=confidence,
    )
    return JudgeTruth(
        **measured.confusion._asdict(),
        sensitivity=_rate(measured.sensitivity),
        specificity=_rate(measured.specificity),
        confidence=confidence,
    )


def _rate(rate: ClusteredRate | None) -> RateInfo | None:
    if rate is None:
        return None
    low, high = rate.interval
    return RateInfo(rate=rate.rate, low=low, high=high, samples=rate.samples, pairs=rate.clusters)


def evidence(report: Report, corrected: Callable[[float], CorrectedRate] | None = None) -> Evidence:
    """Everything in ``report`` that a gate can ask for."""
    noise, baseline = report.noise, report.baseline
    return Evidence(
        tally=report.tally,
        categories={row.category: row.tally for row in report.categories},
        metrics={row.name: row.tally for row in report.metrics},
        confusion=report.classic.confusion.matrix if report.classic else (),
        expected_categories=len(report.categories),
        judged=judged_samples(report),
        flips=(noise.flipped_pairs, noise.pairs) if noise is not None and report.judge.repeats > 1 else None,
        baseline=Paired(baseline.name, baseline.matched, baseline.gained, baseline.lost) if baseline else None,
        corrected=corrected,
        unanswered=unanswered(report),
    )
