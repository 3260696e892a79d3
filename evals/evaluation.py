"""One evaluation: samples drawn, answered, judged.

`prepare` finds every mistake of the user before any work starts; `evaluate`
does the work, once, for the samples that were selected. What is different
between tasks is theirs: see `evals.tasks.base`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from evals.judges import Judge, open_judges
from evals.judges.asking import Examined
from evals.judges.probes import Probed
from evals.judging import Judging, Jury
from evals.power import power_warning
from evals.reports.references import References, read_references
from evals.settings import GatePolicy, Settings
from evals.sharding import Shard, chosen_shard, share_of
from evals.tasks.base import Display, Item, Sample, Task
from evals.verdicts import VerdictStore
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import printable
from fixtures.contracts.settings import unknown_key

__all__ = ["DryRun", "Evaluation", "Prepared", "evaluate", "prepare"]


@dataclass(frozen=True)
class Prepared:
    """Validated inputs of an evaluation; nothing was answered or judged yet."""

    settings: Settings
    policy: GatePolicy
    task: Task
    shard: Shard | None
    assigned: list[Item]
    """The shard's part of the draw; all of it without one."""
    judges: tuple[Judge, ...]
    references: References
    notes: list[str]


@dataclass(frozen=True)
class Evaluation:
    """Everything a report needs."""

    settings: Settings
    policy: GatePolicy
    task: Task
    references: References
    preflight: dict[str, Examined]
    judging: Judging
    probes: Probed | None
    samples: list[Sample]
    prediction_seconds: float
    shard: Shard | None = None
    started: datetime = field(default_factory=lambda: datetime.now(UTC))


def prepare(settings: Settings, policy: GatePolicy, notes: Sequence[str] = ()) -> Prepared:
    """Open and check all inputs. Raises UserError before any work is done."""
    shard = chosen_shard(settings)
    judges = open_judges(settings)
    task = _open_task(settings, judges)
    _refuse_unknown_metrics(policy, [metric.name for metric in task.judge.metrics])
    references = read_references(policy, task.judge, task.dataset, {item.id for item in task.drawn})
    assigned = share_of(task.drawn, shard)
    notes = [*notes, *task.notes, *_notes(policy, task.drawn)]
    if shard is not None:
        notes.append(f"shard {shard.index} of {shard.count}: {len(assigned)} of {len(task.drawn)} drawn samples")
    return Prepared(settings, policy, task, shard, assigned, judges, references, notes)


def _open_task(settings: Settings, judges: Sequence[Judge]) -> Task:
    # Each kind is imported when it is asked for: news need no libraries of chat.
    if settings.chat is not None:
        from evals.tasks.chat import ChatTask

        return ChatTask(settings, judges)
    from evals.tasks.news import NewsTask

    return NewsTask(settings, judges)


def _refuse_unknown_metrics(policy: GatePolicy, known: Sequence[str]) -> None:
    for name in policy.min_metric_pass_rate or ():
        if name not in known and name != "*":
            raise UserError(unknown_key("min_metric_pass_rate", name, dict.fromkeys(known)))


def _notes(policy: GatePolicy, drawn: Sequence[Item]) -> list[str]:
    notes = []
    warning = power_warning(len(drawn), policy)
    if warning is not None:
        notes.append(warning)
    small = policy.min_category_samples
    if policy.min_category_pass_rate:
        counts = Counter(item.category for item in drawn)
        few = sorted(label for label, count in counts.items() if count < small)
        if few:
            notes.append(
                f"{len(few)} of {len(counts)} categories have fewer than {small} samples and cannot show their pass "
                f"rate: {printable(', '.join(few[:5]))}"
            )
    return notes


class DryRun(Exception):
    """Nobody was asked: ``--dry-run``. Its text says what a run would need."""


def evaluate(prepared: Prepared, selected: Collection[str], display: Display) -> Evaluation:
    """Answer and judge the assigned samples whose ids are ``selected``. Raises UserError or DryRun."""
    settings, task = prepared.settings, prepared.task
    started = datetime.now(UTC)
    items = [item for item in prepared.assigned if item.id in selected]
    store_path = settings.verdict_store or settings.save_to / "verdicts.sqlite"
    with VerdictStore(store_path) as store, Jury(prepared.judges, store, settings, task.metrics) as jury:
        for notice in store.notices:
            display.say(notice)
        preflight: dict[str, Examined] = {}
        if not settings.dry_run and jury.missing(task.possible(items)):
            preflight = jury.preflight(display.say)
        clock = time.perf_counter()
        answered = task.answer(items, display)
        prediction_seconds = time.perf_counter() - clock
        due = [judgement for item in items for judgement in answered.judgements(item)]
        if settings.dry_run:
            raise DryRun(jury.estimate(due))
        # Probes are about the judge, not about samples: one shard is enough to try them.
        probing = settings.probe_judge and (prepared.shard is None or prepared.shard.index == 1)
        probed = jury.probe(display.stage) if probing else None
        judging = jury.judge(due, display.stage)
    verdicts = {judgement: found.verdict for judgement, found in judging.verdicts.items()}
    return Evaluation(
        settings=settings,
        policy=prepared.policy,
        task=task,
        references=prepared.references,
        preflight=preflight,
        judging=judging,
        probes=probed,
        samples=[answered.sample(item, verdicts) for item in items],
        prediction_seconds=prediction_seconds,
        shard=prepared.shard,
        started=started,
    )
