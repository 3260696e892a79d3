"""Two reports on the same samples: what did the new model gain, and what did it lose?

Two pass rates with an interval each are a blunt tool: most samples pass or fail
under both models and say nothing about the difference. Paired on sample ids,
only the samples that changed count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from evals.comparable import notes, refuse
from evals.reports.model import Report
from evals.reports.rows import SampleRow
from evals.reports.subject import JudgeInfo, ModelInfo
from evals.statistics import count_pairs, holm, mcnemar_midp, paired_difference

__all__ = ["CategoryDifference", "Change", "Comparison", "Difference", "MetricDifference", "Side", "compare"]

_Pair = tuple[SampleRow, SampleRow]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Side(_Part):
    """One of the two reports."""

    model: ModelInfo
    finished: str = Field(description="when its run ended, ISO 8601 in UTC")
    samples: int


class Difference(_Part):
    """Two rates on the same samples. ``difference`` is new less baseline, between ``low`` and ``high``."""

    samples: int
    baseline: float
    new: float
    gained: int = Field(description="samples on which only the new model succeeds")
    lost: int = Field(description="samples on which only the baseline succeeds")
    difference: float
    low: float
    high: float
    p_value: float = Field(description="McNemar's test, mid-p, two-sided")


class CategoryDifference(_Part):
    """The samples expected in one category; its interval and p-value stand for themselves alone."""

    category: str
    pass_rate: Difference
    p_adjusted: float = Field(description="p-value adjusted for the number of categories (Holm)")


class MetricDifference(_Part):
    """One metric, over the samples on which both reports have its verdict; for itself alone."""

    metric: str
    pass_rate: Difference
    p_adjusted: float = Field(description="p-value adjusted for the number of metrics (Holm)")


class Change(_Part):
    """A sample that passes in one report and fails in the other."""

    id: str
    change: Literal["lost", "gained"]
    expected: str
    predicted_before: str
    predicted_after: str
    score_before: float | None
    score_after: float | None


class Comparison(_Part):
    """``new`` against ``baseline``, over the samples in both that have a verdict in both."""

    baseline: Side
    new: Side
    confidence: float = Field(description="two-sided, of all intervals")
    matched: int = Field(description="samples in both reports")
    unscored: int = Field(description="of these, samples without a verdict in either; left out of the pass rates")
    pass_rate: Difference
    accuracy: Difference | None = Field(
        description="answers equal to the label, over all matched samples; null for a chat model"
    )
    metrics: list[MetricDifference] = Field(default=[], description="of a chat model; else empty")
    categories: list[CategoryDifference]
    changes: list[Change] = Field(description="lost ones first")
    only_in_baseline: list[str] = Field(description="ids of samples that are not in the new report")
    only_in_new: list[str] = Field(description="ids of samples that are not in the baseline")
    notes: list[str] = Field(description="what a reader of the figures should know")


def compare(baseline: Report, new: Report, *, confidence: float, for_gate: bool = False) -> Comparison:
    """Pair two reports on sample ids. ``confidence`` is two-sided.

    Raises UserError if the figures would mean nothing, see `evals.comparable.refuse`.
    """
    refuse(baseline, new, for_gate=for_gate)
    ids = {row.id for row in baseline.samples}
    after = {row.id: row for row in new.samples}
    matched = [(row, after[row.id]) for row in baseline.samples if row.id in after]
    scored = [pair for pair in matched if all(row.state != "unscored" for row in pair)]
    changes = [_change(*pair) for pair in scored if pair[0].state != pair[1].state]
    return Comparison(
        baseline=_side(baseline),
        new=_side(new),
        confidence=confidence,
        matched=len(matched),
        unscored=len(matched) - len(scored),
        pass_rate=_passing(scored, confidence),
        accuracy=None
        if new.task == "chat"
        else _difference(
            ((old.predicted == old.expected, row.predicted == row.expected) for old, row in matched), confidence
        ),
        metrics=_metrics(matched, new.judge, confidence),
        categories=_categories(scored, confidence),
        changes=sorted(changes, key=lambda change: change.change == "gained"),
        only_in_baseline=[row.id for row in baseline.samples if row.id not in after],
        only_in_new=[row.id for row in new.samples if row.id not in ids],
        notes=notes(baseline, new, matched),
    )


def _side(report: Report) -> Side:
    return Side(model=report.model, finished=report.run.finished, samples=len(report.samples))


def _change(old: SampleRow, row: SampleRow) -> Change:
    return Change(
        id=row.id,
        change="gained" if row.state == "passed" else "lost",
        expected=row.expected,
        predicted_before=old.predicted,
        predicted_after=row.predicted,
        score_before=old.score,
        score_after=row.score,
    )


def _difference(succeeded: Iterable[tuple[bool, bool]], confidence: float) -> Difference:
    before, after = zip(*succeeded, strict=True)
    pairs = count_pairs(before, after)
    low, high = paired_difference(*pairs, confidence=confidence)
    return Difference(
        samples=pairs.samples,
        baseline=sum(before) / pairs.samples,
        new=sum(after) / pairs.samples,
        gained=pairs.gained,
        lost=pairs.lost,
        difference=pairs.difference,
        low=low,
        high=high,
        p_value=mcnemar_midp(pairs.gained, pairs.lost),
    )


def _passing(scored: Iterable[_Pair], confidence: float) -> Difference:
    return _difference(((old.state == "passed", row.state == "passed") for old, row in scored), confidence)


def _categories(scored: Iterable[_Pair], confidence: float) -> list[CategoryDifference]:
    members: dict[str, list[_Pair]] = defaultdict(list)
    for pair in scored:
        members[pair[0].group].append(pair)
    rates = {category: _passing(members[category], confidence) for category in sorted(members)}
    adjusted = holm([rate.p_value for rate in rates.values()])
    return [
        CategoryDifference(category=category, pass_rate=rate, p_adjusted=p_value)
        for (category, rate), p_value in zip(rates.items(), adjusted, strict=True)
    ]


def _metrics(matched: Iterable[_Pair], judge: JudgeInfo, confidence: float) -> list[MetricDifference]:
    passes: dict[str, list[tuple[bool, bool]]] = {metric.name: [] for metric in judge.metrics}
    for pair in matched:
        before, after = ({metric.name: metric.score for metric in row.metrics} for row in pair)
        for metric in judge.metrics:
            scores = before.get(metric.name), after.get(metric.name)
            if scores[0] is not None and scores[1] is not None:
                passes[metric.name].append((scores[0] >= metric.threshold, scores[1] >= metric.threshold))
    rates = {name: _difference(found, confidence) for name, found in passes.items() if found}
    adjusted = holm([rate.p_value for rate in rates.values()]) if rates else []
    return [
        MetricDifference(metric=name, pass_rate=rate, p_adjusted=p_value)
        for (name, rate), p_value in zip(rates.items(), adjusted, strict=True)
    ]
