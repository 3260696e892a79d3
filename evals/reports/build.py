"""From a finished evaluation to its report."""

from __future__ import annotations

import platform
from dataclasses import asdict
from datetime import UTC, datetime

from evals.evaluation import Evaluation
from evals.judges.asking import Examined
from evals.judges.probes import Probed
from evals.reports.measured import Measured, report_on
from evals.reports.model import Report
from evals.reports.run import PreflightInfo, RunInfo
from evals.reports.shards import ShardInfo
from evals.reports.trust import ProbeRow, ProbesInfo
from evals.sharding import draw_digest
from fixtures.contracts.files import printable
from fixtures.contracts.manifest import library_versions

__all__ = ["build_report", "preflight_info"]


def build_report(evaluation: Evaluation, *, incomplete: str | None) -> Report:
    """The report; ``incomplete`` says why not every drawn sample was asserted, if so."""
    task = evaluation.task
    measured = Measured(
        task=task.name,
        settings=evaluation.settings.model_dump(mode="json"),
        policy=evaluation.policy,
        references=evaluation.references,
        dataset=task.dataset,
        model=task.model,
        judge=task.judge,
        samples=[sample.row for sample in evaluation.samples],
        verdicts={task.pair(judgement): verdict for judgement, verdict in evaluation.judging.verdicts.items()},
        probes=_probes(evaluation.probes),
        run=_run(evaluation),
        shard=_shard(evaluation),
    )
    return report_on(measured, incomplete=incomplete)


def _shard(evaluation: Evaluation) -> ShardInfo | None:
    if evaluation.shard is None:
        return None
    drawn = evaluation.task.drawn
    places = {item.id: place for place, item in enumerate(drawn)}
    return ShardInfo(
        index=evaluation.shard.index,
        count=evaluation.shard.count,
        draw_digest=draw_digest((item.id, item.digest) for item in drawn),
        places=[places[sample.row.id] for sample in evaluation.samples],
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
