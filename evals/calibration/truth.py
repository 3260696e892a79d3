"""What is true of each sample: the data set's label, or what the raters say.

The judge is measured against this, so it is measured first: raters who do not
agree with one another are no truth that a judge could meet.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Literal

from evals.calibration.agreement import agreement_of_raters, weak_agreement
from evals.calibration.model import RaterAgreement
from evals.calibration.ratings import Label, Part
from evals.reports.model import Report
from fixtures.contracts.errors import UserError

__all__ = ["Rule", "TrueLabel", "Truth", "of_labels", "of_report"]

Rule = Literal["exact match", "majority", "mean"]

_RELATED = 0.5
"""What the metric gives a related category: up to this threshold it passes, and is no exact match."""


@dataclass(frozen=True, slots=True)
class TrueLabel:
    """Whether a sample should pass, and its mean rating where there are scores."""

    passed: bool
    score: float | None = None
    part: Part | None = None


@dataclass(frozen=True)
class Truth:
    """Labels by sample id, and how good they are. ``ties`` are samples on which raters are evenly split."""

    name: str
    rule: Rule
    labels: dict[str, TrueLabel]
    raters: list[str] = field(default_factory=list)
    agreement: list[RaterAgreement] = field(default_factory=list)
    ties: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def of_report(report: Report) -> Truth:
    """The data set's own labels: an answer is right if it equals the expected one.

    Raises UserError for a report on chat: an answer may be right in other words
    than its reference.
    """
    if report.task == "chat":
        raise UserError(
            "a report on chat has references and no labels, so only people can say how often its judge errs: "
            "--ratings FILE (python -m evals label draw)"
        )
    notes = []
    if report.judge.threshold <= _RELATED:
        notes.append(
            f"at threshold {report.judge.threshold:g} a related category passes, and that is no exact match: the "
            "figures say how often the judge differs from exact match, not how often it errs"
        )
    labels = {row.id: TrueLabel(row.predicted == row.expected) for row in report.samples}
    return Truth("exact match with the data set's labels", "exact match", labels, notes=notes)


def of_labels(labels: Sequence[Label], *, name: str, pass_from: float | None, confidence: float) -> Truth:
    """The majority of the raters' verdicts; with ``pass_from`` the mean of their scores.

    An even split of verdicts is no truth: such samples are left out and named
    in ``ties``. Samples of part focus were chosen for a disagreement and are no
    measure of how raters agree. Raises UserError where every split is even.
    """
    by_sample: defaultdict[str, list[Label]] = defaultdict(list)
    for label in labels:
        by_sample[label.id].append(label)
    raters = list(dict.fromkeys(label.rater for label in labels))
    agreement = agreement_of_raters([label for label in labels if label.part != "focus"], raters, confidence)
    _refuse_full_disagreement(name, by_sample.values())
    truth: dict[str, TrueLabel] = {}
    ties: list[str] = []
    for sample, votes in by_sample.items():
        part = votes[0].part
        passing = sum(vote.rating.passed for vote in votes)
        if pass_from is not None:
            mean = fmean(vote.rating.score for vote in votes if vote.rating.score is not None)
            truth[sample] = TrueLabel(mean >= pass_from, mean, part)
        elif 2 * passing == len(votes):
            ties.append(sample)
        else:
            truth[sample] = TrueLabel(2 * passing > len(votes), None, part)
    rule: Rule = "majority" if pass_from is None else "mean"
    return Truth(name, rule, truth, raters, agreement, ties, weak_agreement(agreement))


def _refuse_full_disagreement(name: str, samples: Collection[Sequence[Label]]) -> None:
    if not samples:
        raise UserError(f"{name} holds no rating")
    if all(2 * sum(vote.rating.passed for vote in votes) == len(votes) for votes in samples):
        raters = sorted({vote.rater for votes in samples for vote in votes})
        shown = ", ".join(raters[:5]) + (", ..." if len(raters) > 5 else "")
        raise UserError(
            f"{name}: raters {shown} are evenly split on each of the {len(samples)} samples that they rated: "
            "there is no truth to hold the judge to"
        )
