"""What a judge said: in a report of ours, sample by sample."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from evals.calibration.model import Flips, SourceInfo
from evals.reports.model import Report
from evals.reports.subject import JudgeInfo
from evals.statistics import wilson

__all__ = ["JudgeData", "Judged", "flips_of", "judged_report"]


@dataclass(frozen=True, slots=True)
class Judged:
    """One sample with its verdict; ``passed`` is None where there is none.

    Samples of one ``cluster`` share a verdict. ``about`` says what was judged.
    """

    id: str
    cluster: Hashable
    passed: bool | None
    score: float | None
    reason: str
    group: str | None
    about: str
    text: str


@dataclass(frozen=True)
class JudgeData:
    """A judge's verdicts, and where they come from. ``name`` is for people."""

    name: str
    source: SourceInfo
    judge: JudgeInfo | None
    samples: list[Judged]
    flips: Flips | None
    notes: list[str] = field(default_factory=list)


def judged_report(report: Report, *, name: str, digest: str, confidence: float) -> JudgeData:
    """The verdicts of a report; its groups are its categories."""
    samples = [
        Judged(
            id=row.id,
            cluster=(row.predicted, row.expected),
            passed=None if row.state == "unscored" else row.state == "passed",
            score=row.score,
            reason=row.reason,
            group=row.group,
            about=f"answered {row.predicted}, expected {row.expected}",
            text=row.text,
        )
        for row in report.samples
    ]
    noise = report.noise
    flips = None
    if noise is not None and report.judge.repeats > 1 and noise.pairs:
        flips = flips_of(noise.flipped_pairs, noise.pairs, noise.mean_spread, confidence=confidence)
    notes = []
    if not report.complete:
        notes.append("the report is not complete: not all drawn samples were selected")
    source = SourceInfo(
        name=name,
        digest=digest,
        samples=len(samples),
        unscored=report.tally.unscored,
        threshold=report.judge.threshold,
    )
    return JudgeData(report.judge.spec, source, report.judge, samples, flips, notes)


def flips_of(flipped: int, asked_again: int, mean_spread: float | None, *, confidence: float) -> Flips:
    """Flips with their interval; each sample (or pair) is one trial."""
    low, high = wilson(flipped, asked_again, confidence=confidence)
    rate = flipped / asked_again
    return Flips(asked_again=asked_again, flipped=flipped, rate=rate, low=low, high=high, mean_spread=mean_spread)
