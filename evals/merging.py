"""One report of the reports of all shards of a draw.

What they measured is put together and computed anew, by the code that computes
the report of a whole run: no figure is averaged. Each sample keeps the verdict
that its own shard's judge gave. A judge that says the same whenever it is asked
thus makes the report of a whole run; where another one has contradicted itself,
the report says so.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from evals.judges.base import Judgement
from evals.judges.ledger import Usage
from evals.mergeable import ShardReport
from evals.reports.measured import Measured, report_on
from evals.reports.model import PairRow, Report, SampleRow, VoteRow
from evals.reports.references import References
from evals.reports.run import RunInfo
from evals.reports.shards import ConflictRow, ShardRun, ShardVerdict
from evals.settings import GatePolicy
from evals.verdicts import Verdict
from evals.votes import PairVerdict, Vote

__all__ = ["merge"]


def merge(shards: Sequence[ShardReport], policy: GatePolicy, references: References, changed: dict[str, Any]) -> Report:
    """The report on all samples, its gate by ``policy``; ``changed`` are settings that are the merge's own.

    ``shards`` are as `evals.mergeable.read_shards` gives them. Raises UserError.
    """
    first = shards[0].report
    measured = Measured(
        settings=first.settings | {"shard": None, "shard_file": None} | changed,
        policy=policy,
        references=references,
        dataset=first.dataset,
        model=first.model,
        judge=first.judge,
        samples=_in_order(shards),
        verdicts=_verdicts(shards),
        probes=first.probes,
        run=_run(shards),
        conflicts=_conflicts(shards, first.judge.threshold),
    )
    return report_on(measured, incomplete=None)


def _in_order(shards: Sequence[ShardReport]) -> list[SampleRow]:
    """All samples as they were drawn."""
    rows = {place: row for shard in shards for place, row in zip(shard.shard.places, shard.report.samples, strict=True)}
    return [rows[place] for place in sorted(rows)]


def _verdicts(shards: Sequence[ShardReport]) -> dict[Judgement, PairVerdict]:
    """Votes on each pair from one shard, the first that came to a verdict.

    Together they would be more votes than the settings say, on some pairs only.
    """
    found: dict[Judgement, PairVerdict] = {}
    for shard in shards:
        for row in shard.report.pairs:
            pair = Judgement(row.predicted, row.expected)
            if pair not in found or found[pair].verdict.score is None:
                found[pair] = _verdict(row)
    return found


def _verdict(row: PairRow) -> PairVerdict:
    return PairVerdict(Verdict(row.score, ""), _votes(row.votes), _votes(row.confirmations))


def _votes(rows: Sequence[VoteRow]) -> tuple[Vote, ...]:
    return tuple(Vote(row.judge, row.repeat, Verdict(row.score, row.reason, row.error)) for row in rows)


def _conflicts(shards: Sequence[ShardReport], threshold: float) -> list[ConflictRow]:
    """Pairs with different scores in different shards, those that differ on passing first."""
    said: dict[tuple[str, str], list[ShardVerdict]] = defaultdict(list)
    for shard in shards:
        scored = [row for row in shard.report.samples if row.score is not None]
        samples = Counter((row.expected, row.predicted) for row in scored)
        # One verdict serves all samples of a pair in a shard.
        for pair, row in {(row.expected, row.predicted): row for row in scored}.items():
            assert row.score is not None
            said[pair].append(
                ShardVerdict(shard=shard.shard.index, samples=samples[pair], score=row.score, reason=row.reason)
            )
    rows = [
        ConflictRow(
            expected=expected,
            predicted=predicted,
            samples=sum(verdict.samples for verdict in verdicts),
            flipped=len({verdict.score >= threshold for verdict in verdicts}) > 1,
            verdicts=verdicts,
        )
        for (expected, predicted), verdicts in said.items()
        if len({verdict.score for verdict in verdicts}) > 1
    ]
    return sorted(rows, key=lambda row: (not row.flipped, row.expected, row.predicted))


def _run(shards: Sequence[ShardReport]) -> RunInfo:
    runs = [shard.report.run for shard in shards]
    stopped = [f"shard {shard}: {why}" for shard in shards if (why := shard.report.run.judging_stopped)]
    return RunInfo(
        started=min(run.started for run in runs),
        finished=max(run.finished for run in runs),
        seconds=sum(run.seconds for run in runs),
        prediction_seconds=sum(run.prediction_seconds for run in runs),
        judging_seconds=sum(run.judging_seconds for run in runs),
        judging_stopped="; ".join(stopped) or None,
        usage=_usage([run.usage for run in runs]),
        preflight=[found for run in runs for found in run.preflight],
        host=_each_once(run.host for run in runs),
        versions={
            name: _each_once(run.versions.get(name, "none") for run in runs)
            for name in dict.fromkeys(name for run in runs for name in run.versions)
        },
        shards=[
            ShardRun(
                shard=str(shard),
                report_digest=shard.digest,
                host=run.host,
                started=run.started,
                finished=run.finished,
                seconds=run.seconds,
                usage=run.usage,
            )
            for shard, run in zip(shards, runs, strict=True)
        ],
    )


def _each_once(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(values))


def _usage(usages: Sequence[Usage]) -> Usage:
    """The sums; a median of all latencies cannot be told from those of the parts."""
    costs = [usage.cost for usage in usages if usage.cost is not None]
    return Usage(
        calls=sum(usage.calls for usage in usages),
        preflight_calls=sum(usage.preflight_calls for usage in usages),
        retries=sum(usage.retries for usage in usages),
        bad_answers=sum(usage.bad_answers for usage in usages),
        cache_hits=sum(usage.cache_hits for usage in usages),
        tokens_in=sum(usage.tokens_in for usage in usages),
        tokens_out=sum(usage.tokens_out for usage in usages),
        tokens_estimated=any(usage.tokens_estimated for usage in usages),
        cost=sum(costs) if costs else None,
    )
