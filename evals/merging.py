"""One report of the reports of all shards of a draw.

What they measured is put together and computed anew, by the code that computes
the report of a whole run: no figure is averaged. Each sample keeps the verdict
that its own shard's judge gave. A judge that says the same whenever it is asked
thus makes the report of a whole run; where another one has contradicted itself,
the report says so.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from evals.judges.ledger import Usage
from evals.mergeable import ShardReport
from evals.reports.measured import Measured, report_on
from evals.reports.model import Report
from evals.reports.references import References
from evals.reports.rows import PairKey, PairRow, SampleRow, VoteRow
from evals.reports.run import RunInfo
from evals.reports.shards import ConflictRow, ShardRun, ShardVerdict
from evals.reports.subject import JudgeInfo
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
        task=first.task,
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
        conflicts=_conflicts(shards, first.judge),
    )
    return report_on(measured, incomplete=None)


def _in_order(shards: Sequence[ShardReport]) -> list[SampleRow]:
    """All samples as they were drawn."""
    rows = {place: row for shard in shards for place, row in zip(shard.shard.places, shard.report.samples, strict=True)}
    return [rows[place] for place in sorted(rows)]


def _verdicts(shards: Sequence[ShardReport]) -> dict[PairKey, PairVerdict]:
    """Votes on each pair from one shard, the first that came to a verdict.

    Together they would be more votes than the settings say, on some pairs only.
    """
    found: dict[PairKey, PairVerdict] = {}
    for shard in shards:
        for row in shard.report.pairs:
            pair = row.key
            if pair not in found or found[pair].verdict.score is None:
                found[pair] = _verdict(row)
    return found


def _verdict(row: PairRow) -> PairVerdict:
    return PairVerdict(Verdict(row.score, ""), _votes(row.votes), _votes(row.confirmations))


def _votes(rows: Sequence[VoteRow]) -> tuple[Vote, ...]:
    return tuple(Vote(row.judge, row.repeat, Verdict(row.score, row.reason, row.error)) for row in rows)


def _conflicts(shards: Sequence[ShardReport], judge: JudgeInfo) -> list[ConflictRow]:
    """Pairs with different scores in different shards, those that differ on passing first."""
    said: dict[PairKey, list[ShardVerdict]] = defaultdict(list)
    texts: dict[PairKey, tuple[str, str]] = {}
    for shard in shards:
        scored = [found for row in shard.report.samples for found in _scores(row)]
        samples = Counter(pair for pair, *_ in scored)
        # One verdict serves all samples of a pair in a shard.
        for pair, row, score, reason in {found[0]: found for found in scored}.values():
            texts[pair] = row.expected, row.predicted
            said[pair].append(ShardVerdict(shard=shard.shard.index, samples=samples[pair], score=score, reason=reason))
    rows = [
        ConflictRow(
            metric=pair.metric,
            expected=texts[pair][0],
            predicted=texts[pair][1],
            samples=sum(verdict.samples for verdict in verdicts),
            flipped=len({verdict.score >= judge.threshold_of(pair.metric) for verdict in verdicts}) > 1,
            verdicts=verdicts,
        )
        for pair, verdicts in said.items()
        if len({verdict.score for verdict in verdicts}) > 1
    ]
    return sorted(rows, key=lambda row: (not row.flipped, row.metric, row.expected, row.predicted))


def _scores(row: SampleRow) -> Iterator[tuple[PairKey, SampleRow, float, str]]:
    """What a judge said of a sample, by pair."""
    said = [(metric.score, metric.reason) for metric in row.metrics if metric.judgement is not None]
    if not row.metrics:
        said = [(row.score, row.reason)]
    for pair, (score, reason) in zip(row.pairs, said, strict=True):
        if score is not None:
            yield pair, row, score, reason


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
