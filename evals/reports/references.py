"""What a policy refers to: a baseline to be no worse than, a calibration to correct the judge by.

Both are read, and refused if they belong to another judge or other data,
before a run costs anything.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from evals.baselines import STORAGE, find_report, report_file
from evals.calibration import Calibration, CorrectedRate, corrected_rate, read_calibration
from evals.calibration.apply import why_unusable
from evals.comparable import other_measure, unfinished
from evals.comparison import compare
from evals.gate import Gate, evaluate_gate, not_evaluated, without_verdict
from evals.reports import read_report
from evals.reports.evidence import evidence, judge_truth, unanswered
from evals.reports.model import BaselineInfo, Report
from evals.reports.shards import ShardInfo
from evals.reports.subject import DatasetInfo, JudgeInfo
from evals.settings import GatePolicy, unfit
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import sha256_file

__all__ = ["References", "gated", "read_references"]


@dataclass(frozen=True)
class References:
    """The files that a policy names; None for those that it does not."""

    baseline: Report | None = None
    baseline_file: Path | None = None
    calibration: Calibration | None = None


def read_references(
    policy: GatePolicy, judge: JudgeInfo, dataset: DatasetInfo, sample_ids: Collection[str]
) -> References:
    """Read what ``policy`` names, for a run of this judge on these samples. Raises UserError."""
    baseline = file = calibration = None
    if policy.baseline is not None:
        file = report_file(find_report(policy.baseline, STORAGE))
        baseline = read_report(file)
        reasons = [f"the baseline is {said}" for said in [unfinished(baseline)] if said]
        reasons += other_measure(baseline, judge, dataset)
        if not any(row.id in sample_ids for row in baseline.samples):
            reasons.append("no sample is in both; the same --num-samples and --seed draw the same ones")
        if reasons:
            raise UserError(f"--baseline {policy.baseline}:" + "".join(f"\n  {reason}" for reason in reasons))
    if policy.calibration is not None:
        calibration = read_calibration(policy.calibration)
        # No rows: only whether it fits the judge is asked here.
        corrected_rate(calibration, judge, [], confidence=policy.confidence)
        if (reason := why_unusable(calibration)) is not None:
            raise UserError(f"--calibration {policy.calibration}: {reason}")
    return References(baseline, file, calibration)


def gated(report: Report, policy: GatePolicy, references: References, *, incomplete: str | None) -> Report:
    """``report`` with its gate by ``policy``; ``incomplete`` says why there is none, if so. Raises UserError."""
    if (said := unfit(policy, chat=report.task == "chat")) is not None:
        raise UserError(said)
    report = report.model_copy(
        update={
            "judge_truth": judge_truth(report, confidence=policy.confidence),
            "baseline": None,
            "gate": not_evaluated(incomplete or "yet", policy),
        }
    )
    if incomplete is not None:
        return report
    if report.shard is not None:
        return report.model_copy(update={"gate": _of_a_shard(report, report.shard, policy)})
    if references.baseline is not None and report.tally.scored:
        report = report.model_copy(update={"baseline": _compared(references, report, policy)})

    def corrected(confidence: float) -> CorrectedRate:
        assert references.calibration is not None
        return corrected_rate(references.calibration, report.judge, report.samples, confidence=confidence)

    seen = evidence(report, corrected if references.calibration is not None else None)
    return report.model_copy(update={"gate": evaluate_gate(seen, policy)})


def _of_a_shard(report: Report, shard: ShardInfo, policy: GatePolicy) -> Gate:
    """No verdict: a part cannot speak for the whole draw. Incomplete only if no other part can mend that."""
    part, unscored = f"shard {shard.index} of {shard.count}", report.tally.unscored
    gate = not_evaluated(f"{part}: merge decides", policy)
    share = policy.max_unscored_share
    if unscored <= (policy.max_unscored if share is None else share * report.dataset.drawn):
        return gate
    said = f"Incomplete: {part}: {without_verdict(report.tally, unanswered(report))}"
    return gate.model_copy(
        update={"outcome": "incomplete", "sentence": f"{said}, more than the whole draw may leave without one."}
    )


def _compared(references: References, report: Report, policy: GatePolicy) -> BaselineInfo:
    assert references.baseline is not None
    assert references.baseline_file is not None
    found = compare(references.baseline, report, confidence=policy.confidence, for_gate=True)
    return BaselineInfo(
        name=str(policy.baseline),
        digest=sha256_file(references.baseline_file),
        matched=found.pass_rate.samples,
        unmatched=len(found.only_in_baseline) + len(found.only_in_new),
        gained=found.pass_rate.gained,
        lost=found.pass_rate.lost,
        difference=found.pass_rate.difference,
        low=found.pass_rate.low,
        high=found.pass_rate.high,
        confidence=policy.confidence,
    )
