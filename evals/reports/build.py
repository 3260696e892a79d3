"""From a finished evaluation to its report."""

from __future__ import annotations

import platform
from dataclasses import asdict
from datetime import UTC, datetime

from evals.evaluation import Evaluation, Sample
from evals.judges.asking import Examined
from evals.judges.probes import Probed
from evals.reports.measured import Measured, report_on
from evals.reports.model import (
    ModelInfo,
    PreflightInfo,
    ProbeRow,
    ProbesInfo,
    Report,
    RunInfo,
    SampleRow,
    ShardInfo,
)
from evals.reports.parts import dataset_info, judge_info
from evals.sharding import draw_digest
from fixtures.contracts.files import printable
from fixtures.contracts.manifest import library_versions

__all__ = ["EXCERPT", "build_report", "preflight_info"]

EXCERPT = 1000


def build_report(evaluation: Evaluation, *, incomplete: str | None) -> Report:
    """The report; ``incomplete`` says why not every drawn sample was asserted, if so."""
    measured = Measured(
        settings=evaluation.settings.model_dump(mode="json"),
        policy=evaluation.policy,
        references=evaluation.references,
        dataset=dataset_info(evaluation.dataset, evaluation.drawn),
        model=_model(evaluation),
        judge=judge_info(evaluation.settings, evaluation.judges),
        samples=[_row(sample) for sample in evaluation.samples],
        verdicts=evaluation.judging.verdicts,
        probes=_probes(evaluation.probes),
        run=_run(evaluation),
        shard=_shard(evaluation),
    )
    return report_on(measured, incomplete=incomplete)


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
        raw=None if verdict.score is not None or verdict.raw is None else printable(verdict.raw),
        digest=sample.document.digest,
        text=printable(sample.document.text[:EXCERPT])[:EXCERPT],
    )


def _shard(evaluation: Evaluation) -> ShardInfo | None:
    if evaluation.shard is None:
        return None
    places = {document.id: place for place, document in enumerate(evaluation.drawn)}
    return ShardInfo(
        index=evaluation.shard.index,
        count=evaluation.shard.count,
        draw_digest=draw_digest((document.id, document.digest) for document in evaluation.drawn),
        places=[places[sample.document.id] for sample in evaluation.samples],
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


def preflight_info(spec: str, examined: Examined) -> PreflightInfo:
    """What a judge did with its known question, as reports tell it."""
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
        preflight=[preflight_info(spec, examined) for spec, examined in evaluation.preflight.items()],
        host=platform.node(),
        versions=library_versions("newsjudge", "deepeval", "pytest", "scikit-learn", "scipy", "torch", "transformers"),
    )
