"""A judge held against the truth: every figure of a calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evals.calibration.agreement import kappa_info
from evals.calibration.disagreements import disagreements
from evals.calibration.judgements import Judged, JudgeData
from evals.calibration.model import Calibration, Confusion, Correlation, MeasuredRate, TruthInfo
from evals.calibration.rates import pass_rates, rates_of_all
from evals.calibration.truth import TrueLabel, Truth
from evals.statistics import ClusteredRate, judge_error, rank_correlation
from fixtures.contracts.errors import UserError

__all__ = ["WORST", "Drawn", "calibrate"]

Drawn = Literal["random", "other"]
WORST = 10
_KINDS: tuple[Literal["spearman", "kendall"], ...] = ("spearman", "kendall")


@dataclass(frozen=True, slots=True)
class _Labelled:
    """A judged sample that has a label."""

    judged: Judged
    truth: TrueLabel

    @property
    def passed(self) -> bool:
        return self.judged.passed is True


@dataclass(frozen=True)
class _Selection:
    """``labelled`` samples, those with a verdict, those measured, and verdicts on ``others`` that have no label."""

    labelled: list[_Labelled]
    scored: list[_Labelled]
    measured: list[_Labelled]
    others: list[bool]
    random: bool | None


def calibrate(
    data: JudgeData, truth: Truth, *, drawn: Drawn | None, confidence: float, worst: int = WORST
) -> Calibration:
    """Measure the judge of ``data`` against ``truth``.

    ``drawn`` says how the labelled samples were chosen, where the labels do not;
    unknown, they are no random part. Raises UserError where there is nothing to
    measure by.
    """
    chosen = _select(data, truth, drawn)
    right = [sample.truth.passed for sample in chosen.measured]
    passed = [sample.passed for sample in chosen.measured]
    clusters = [sample.judged.cluster for sample in chosen.measured]
    error = judge_error(right, passed, pairs=clusters, confidence=confidence)
    sensitivity, specificity = (_rate(rate) if rate else None for rate in (error.sensitivity, error.specificity))
    found, rows = disagreements(
        [(sample.judged, sample.truth.passed) for sample in chosen.scored], data.source.threshold, worst
    )
    if chosen.random is None:
        everything = [sample.truth.passed for sample in chosen.labelled]
        rates = rates_of_all(everything, passed, total=len(data.samples), confidence=confidence)
    else:
        rates = pass_rates(
            right,
            passed,
            chosen.others,
            sensitivity=sensitivity,
            specificity=specificity,
            random_sample=chosen.random,
            confidence=confidence,
        )
    return Calibration(
        source=data.source,
        judge=data.judge,
        truth=TruthInfo(
            name=truth.name,
            rule=truth.rule,
            raters=truth.raters,
            agreement=truth.agreement,
            labelled=len(chosen.labelled),
            ties=truth.ties,
            measured=len(chosen.measured),
            random=chosen.random,
        ),
        confidence=confidence,
        kappa=kappa_info(right, passed, confidence=confidence, observed=error.accuracy.interval),
        accuracy=_rate(error.accuracy),
        sensitivity=sensitivity,
        specificity=specificity,
        confusion=Confusion(**error.confusion._asdict()),
        correlations=_correlations(chosen.measured),
        flips=data.flips,
        pass_rate=rates,
        disagreements=found,
        worst=rows,
        notes=[*truth.notes, *data.notes, *_notes(data, truth, chosen, drawn)],
    )


def _select(data: JudgeData, truth: Truth, drawn: Drawn | None) -> _Selection:
    """Which samples count. Labels of part focus were chosen for a disagreement, and count only if all are labelled."""
    labelled = [_Labelled(sample, truth.labels[sample.id]) for sample in data.samples if sample.id in truth.labels]
    if not labelled:
        one, other = (next(iter(ids), "nothing") for ids in ([sample.id for sample in data.samples], truth.labels))
        raise UserError(f"{truth.name}: no label is of a sample that was judged ({other} is labelled, {one} is judged)")
    scored = [sample for sample in labelled if sample.judged.passed is not None]
    if not scored:
        raise UserError(f"{data.source.name}: the judge gave no verdict on any of the {len(labelled)} labelled samples")
    without = set(truth.ties) | {sample.judged.id for sample in labelled}
    if all(sample.passed is None or sample.id in without for sample in data.samples):
        return _Selection(labelled, scored, scored, [], None)
    measured = [sample for sample in scored if sample.truth.part != "focus"]
    if not measured:
        raise UserError(
            f"{truth.name}: all labels are of part focus, which was drawn for disagreements and measures nothing; "
            "have a random part rated, too"
        )
    known = {sample.judged.id for sample in measured} | set(truth.ties)
    others = [sample.passed for sample in data.samples if sample.passed is not None and sample.id not in known]
    random = drawn == "random" or (drawn is None and all(sample.truth.part == "random" for sample in measured))
    return _Selection(labelled, scored, measured, others, random)


def _correlations(samples: Sequence[_Labelled]) -> list[Correlation]:
    """Of the judge's scores with the mean ratings, or with pass and fail where there are no others."""
    graded = all(sample.truth.score is not None for sample in samples)
    scored = [sample for sample in samples if sample.judged.score is not None]
    if not scored:
        return []
    scores = [sample.judged.score or 0.0 for sample in scored]
    truth = [float(sample.truth.passed if sample.truth.score is None else sample.truth.score) for sample in scored]
    groups = [sample.judged.group for sample in scored] if any(sample.judged.group for sample in scored) else None
    return [
        Correlation(kind=kind, graded=graded, samples=len(scored), **found._asdict())
        for kind in _KINDS
        for found in [rank_correlation(scores, truth, kind=kind, groups=groups)]
    ]


def _notes(data: JudgeData, truth: Truth, chosen: _Selection, drawn: Drawn | None) -> list[str]:
    notes = []
    unknown = len(truth.labels) - len(chosen.labelled)
    if unknown:
        notes.append(f"{unknown} labelled samples are not among those judged; left out")
    unscored = len(chosen.labelled) - len(chosen.scored)
    if unscored:
        notes.append(f"{unscored} labelled samples have no verdict; the judge's figures leave them out")
    if truth.ties:
        notes.append(
            f"raters are evenly split on {len(truth.ties)} samples; left out, so all figures are about samples that "
            f"people can agree on: {', '.join(truth.ties[:5])}{', ...' if len(truth.ties) > 5 else ''}"
        )
    focus = len(chosen.scored) - len(chosen.measured)
    if focus:
        notes.append(
            f"{focus} labels of part focus were drawn for a disagreement: shown among the worst, never counted"
        )
    if chosen.random is False and drawn is None:
        notes.append(
            "nothing says how the labelled samples were drawn, so they are taken for no random part of what was "
            "judged; if they are one, say --labels random"
        )
    return notes


def _rate(rate: ClusteredRate) -> MeasuredRate:
    low, high = rate.interval
    return MeasuredRate(
        rate=rate.rate, low=low, high=high, samples=rate.samples, clusters=rate.clusters, effective=rate.effective
    )
