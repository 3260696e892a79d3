"""From what was measured to the report: everything that can be computed, computed in one place.

An evaluation gets here with what it measured itself, a merge with what the
reports of all shards hold; hence the same samples make the same report.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from evals.classic import classic_metrics
from evals.gate import Tally, not_evaluated
from evals.judges.base import Judgement
from evals.reports.model import (
    CategoryRow,
    ConflictRow,
    DatasetInfo,
    JudgeInfo,
    ModelInfo,
    PassRate,
    ProbesInfo,
    Report,
    RunInfo,
    SampleRow,
    ShardInfo,
)
from evals.reports.noise import noise, pair_rows
from evals.reports.references import References, gated
from evals.settings import GatePolicy
from evals.statistics import wilson
from evals.votes import PairVerdict

__all__ = ["Measured", "report_on"]


@dataclass(frozen=True)
class Measured:
    """All that was measured, nothing that was computed from it."""

    settings: dict[str, Any]
    policy: GatePolicy
    references: References
    dataset: DatasetInfo
    model: ModelInfo
    judge: JudgeInfo
    samples: list[SampleRow]
    verdicts: Mapping[Judgement, PairVerdict]
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
        categories[row.expected].append(row)
    pairs = Counter(Judgement(row.predicted, row.expected) for row in samples)
    report = Report(
        gate=not_evaluated("yet", policy),
        complete=incomplete is None,
        shard=measured.shard,
        tally=tally,
        pass_rate=_pass_rate(tally, policy),
        classic=classic_metrics([row.expected for row in samples], [row.predicted for row in samples]),
        dataset=measured.dataset,
        model=measured.model,
        judge=judge.model_copy(update={"distinct_pairs": len(pairs)}),
        settings=measured.settings,
        categories=[
            CategoryRow(category=category, tally=(part := _tally(rows)), pass_rate=_pass_rate(part, policy))
            for category, rows in sorted(categories.items())
        ],
        samples=samples,
        pairs=pair_rows(measured.verdicts, pairs, judge.threshold),
        judge_truth=None,
        baseline=None,
        noise=noise(measured.verdicts, pairs, judge.threshold),
        conflicts=measured.conflicts,
        probes=measured.probes,
        run=measured.run,
    )
    return gated(report, policy, measured.references, incomplete=incomplete)


def _tally(samples: Iterable[SampleRow]) -> Tally:
    counts = Counter(row.state for row in samples)
    return Tally(passed=counts["passed"], failed=counts["failed"], unscored=counts["unscored"])


def _pass_rate(tally: Tally, policy: GatePolicy) -> PassRate:
    if not tally.scored:
        return PassRate(rate=None, low=None, high=None, confidence=policy.confidence)
    interval = wilson(tally.passed, tally.scored, confidence=policy.confidence)
    rate = tally.passed / tally.scored
    return PassRate(rate=rate, low=interval.low, high=interval.high, confidence=policy.confidence)
