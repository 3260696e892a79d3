"""From what was measured to the report: everything that can be computed, computed in one place.

An evaluation gets here with what it measured itself, a merge with what the
reports of all shards hold; hence the same samples make the same report.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from evals.classic import classic_metrics
from evals.gate import Tally, not_evaluated
from evals.reports.model import Report
from evals.reports.noise import noise, pair_rows
from evals.reports.references import References, gated
from evals.reports.rows import CategoryRow, MetricRow, MetricScore, PairKey, PassRate, SampleRow
from evals.reports.run import RunInfo
from evals.reports.shards import ConflictRow, ShardInfo
from evals.reports.subject import DatasetInfo, JudgeInfo, MetricInfo, ModelInfo, TaskName
from evals.reports.trust import ProbesInfo
from evals.settings import GatePolicy
from evals.statistics import wilson
from evals.tasks.base import state_of
from evals.text_measures import text_measures
from evals.votes import PairVerdict

__all__ = ["Measured", "report_on"]

_SEED = 0
"""Of the bootstrap: equal samples make equal reports."""


@dataclass(frozen=True)
class Measured:
    """All that was measured, nothing that was computed from it."""

    task: TaskName
    settings: dict[str, Any]
    policy: GatePolicy
    references: References
    dataset: DatasetInfo
    model: ModelInfo
    judge: JudgeInfo
    samples: list[SampleRow]
    verdicts: Mapping[PairKey, PairVerdict]
    """With their votes; of a merge, only of pairs that got several."""
    probes: ProbesInfo | None
    run: RunInfo
    shard: ShardInfo | None = None
    conflicts: list[ConflictRow] = field(default_factory=list)


def report_on(measured: Measured, *, incomplete: str | None) -> Report:
    """Everything computed, the gate at last."""
    samples, policy, judge = measured.samples, measured.policy, measured.judge
    tally = _tally(samples)
    categories: dict[str, list[SampleRow]] = defaultdict(list)
    for row in samples:
        categories[row.group].append(row)
    pairs = Counter(pair for row in samples for pair in row.pairs)
    texts = {pair: (row.expected, row.predicted) for row in samples for pair in row.pairs}
    news = measured.task == "text-classification"
    report = Report(
        task=measured.task,
        gate=not_evaluated("yet", policy),
        complete=incomplete is None,
        shard=measured.shard,
        tally=tally,
        pass_rate=_pass_rate(tally, policy),
        classic=classic_metrics([row.expected for row in samples], [row.predicted for row in samples])
        if news
        else None,
        text=text_measures(
            [row.measures for row in samples if row.measures is not None], seed=_SEED, confidence=policy.confidence
        ),
        metrics=[_metric(info, samples, policy) for info in judge.metrics],
        dataset=measured.dataset,
        model=measured.model,
        judge=judge.model_copy(update={"distinct_pairs": len(pairs)}),
        settings=measured.settings,
        categories=[
            CategoryRow(category=category, tally=(part := _tally(rows)), pass_rate=_pass_rate(part, policy))
            for category, rows in sorted(categories.items())
        ],
        samples=samples,
        pairs=pair_rows(measured.verdicts, pairs, texts, judge.threshold_of),
        judge_truth=None,
        baseline=None,
        noise=noise(measured.verdicts, pairs, judge.threshold_of),
        conflicts=measured.conflicts,
        probes=measured.probes,
        run=measured.run,
    )
    return gated(report, policy, measured.references, incomplete=incomplete)


def _tally(samples: Iterable[SampleRow]) -> Tally:
    counts = Counter(row.state for row in samples)
    return Tally(passed=counts["passed"], failed=counts["failed"], unscored=counts["unscored"])


def _metric(info: MetricInfo, samples: Iterable[SampleRow], policy: GatePolicy) -> MetricRow:
    found: list[MetricScore] = [score for row in samples for score in row.metrics if score.name == info.name]
    counts = Counter(state_of([(score.score, info.threshold)]) for score in found)
    tally = Tally(passed=counts["passed"], failed=counts["failed"], unscored=counts["unscored"])
    scores = [score.score for score in found if score.score is not None]
    return MetricRow(
        name=info.name,
        kind=info.kind,
        threshold=info.threshold,
        tally=tally,
        pass_rate=_pass_rate(tally, policy),
        mean_score=fmean(scores) if scores else None,
        judgements=len({score.judgement for score in found if score.judgement is not None}),
    )


def _pass_rate(tally: Tally, policy: GatePolicy) -> PassRate:
    if not tally.scored:
        return PassRate(rate=None, low=None, high=None, confidence=policy.confidence)
    interval = wilson(tally.passed, tally.scored, confidence=policy.confidence)
    rate = tally.passed / tally.scored
    return PassRate(rate=rate, low=interval.low, high=interval.high, confidence=policy.confidence)
