"""From a finished evaluation to its report."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from evals.classic import classic_metrics
from evals.evaluation import Evaluation, Sample, State
from evals.gate import Tally, not_evaluated
from evals.judges.asking import Examined
from evals.judges.probes import Probed
from evals.reports.model import (
    CategoryRow,
    ModelInfo,
    PassRate,
    PreflightInfo,
    ProbeRow,
    ProbesInfo,
    Report,
    RunInfo,
    SampleRow,
)
from evals.reports.noise import noise, pair_rows
from evals.reports.parts import dataset_info, judge_info
from evals.reports.references import gated
from evals.settings import GatePolicy
from evals.statistics import wilson
from fixtures.contracts.files import printable
from fixtures.contracts.manifest import library_versions

__all__ = ["EXCERPT", "build_report"]

EXCERPT = 1000


def build_report(evaluation: Evaluation, *, incomplete: str | None) -> Report:
    """The report; ``incomplete`` says why not every drawn sample was asserted, if so."""
    samples = evaluation.samples
    policy = evaluation.policy
    tally = _tally(samples)
    categories = sorted({sample.document.label for sample in samples})
    verdicts, threshold = evaluation.judging.verdicts, evaluation.settings.threshold
    shared = Counter(sample.pair for sample in samples)
    report = Report(
        gate=not_evaluated("yet", policy),
        complete=incomplete is None,
        tally=tally,
        pass_rate=_pass_rate(tally, policy),
        classic=classic_metrics(
            [sample.document.label for sample in samples], [sample.prediction.predicted for sample in samples]
        ),
        dataset=dataset_info(evaluation.dataset, evaluation.drawn),
        model=_model(evaluation),
        judge=judge_info(evaluation.settings, evaluation.judges, distinct_pairs=len(evaluation.judging.verdicts)),
        settings=evaluation.settings.model_dump(mode="json"),
        categories=[
            CategoryRow(
                category=printable(category), tally=(part := _tally(members)), pass_rate=_pass_rate(part, policy)
            )
            for category in categories
            for members in [[sample for sample in samples if sample.document.label == category]]
        ],
        samples=[_row(sample) for sample in samples],
        pairs=pair_rows(verdicts, shared, threshold),
        judge_truth=None,
        baseline=None,
        noise=noise(verdicts, shared, threshold),
        probes=_probes(evaluation.probes),
        run=_run(evaluation),
    )
    return gated(report, policy, evaluation.references, incomplete=incomplete)


def _tally(samples: Sequence[Sample]) -> Tally:
    counts: Counter[State] = Counter(sample.state for sample in samples)
    return Tally(passed=counts["passed"], failed=counts["failed"], unscored=counts["unscored"])


def _pass_rate(tally: Tally, policy: GatePolicy) -> PassRate:
    if not tally.scored:
        return PassRate(rate=None, low=None, high=None, confidence=policy.confidence)
    interval = wilson(tally.passed, tally.scored, confidence=policy.confidence)
    rate = tally.passed / tally.scored
    return PassRate(rate=rate, low=interval.low, high=interval.high, confidence=policy.confidence)


def _row(sample: Sample) -> SampleRow:
    verdict = sample.verdict
    return SampleRow(
        id=sample.document.id,
        expected=printable(sample.document.label),
        predicted=printable(sample.prediction.predicted),
        prediction_score=sample.prediction.score,
        state=sample.state,
        score=verdict.score,
        reason=printable(verdict.reason),
        error=verdict.error,
        raw=None if verdict.score is not None else verdict.raw,
        digest=sample.document.digest,
        text=printable(sample.document.text[:EXCERPT])[:EXCERPT],
    )


def _model(evaluation: Evaluation) -> ModelInfo:
    model = evaluation.model
    if model is None:
        return ModelInfo(source="predictions", digest=evaluation.predictions_digest)
    return ModelInfo(
        source="model",
        digest=model.digest,
        base_model=model.manifest.base_model,
        training=model.manifest.metrics,
    )


def _preflight(spec: str, examined: Examined) -> PreflightInfo:
    capabilities = examined.capabilities
    return PreflightInfo(
        judge=spec,
        model=printable(capabilities.model),
        schema_by=capabilities.schema,
        logprobs=capabilities.logprobs,
        seconds=examined.reply.seconds,
        score=examined.answer.score / 10 if examined.answer else None,
        problem=printable(examined.problem) if examined.problem else None,
        notes=[printable(note) for note in capabilities.notes],
    )


def _probes(probed: Probed | None) -> ProbesInfo | None:
    if probed is None:
        return None
    rows = [ProbeRow(**asdict(result)) for result in probed.results]
    return ProbesInfo(control=probed.control, succeeded=sum(row.succeeded for row in rows), probes=rows)


def _run(evaluation: Evaluation) -> RunInfo:
    finished = datetime.now(UTC)
    return RunInfo(
        started=evaluation.started.isoformat(timespec="seconds"),
        finished=finished.isoformat(timespec="seconds"),
        seconds=(finished - evaluation.started).total_seconds(),
        prediction_seconds=evaluation.prediction_seconds,
        judging_seconds=evaluation.judging.seconds,
        judging_stopped=evaluation.judging.stopped,
        usage=evaluation.judging.usage,
        preflight=[_preflight(spec, examined) for spec, examined in evaluation.preflight.items()],
        host=platform.node(),
        versions=library_versions("newsjudge", "deepeval", "pytest", "scikit-learn", "scipy", "torch", "transformers"),
    )
