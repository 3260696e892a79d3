"""The flow of a duel: both candidates answer, the judge compares in both orders, one `Duel` comes of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from evals.duel.building import duel_of
from evals.duel.contest import Contest, asked_of, contest_of, open_contest
from evals.duel.model import Duel, DuelRun, pairs_digest
from evals.duel.orders import result_of
from evals.duel.people import Said, read_people
from evals.duel.settings import DuelOptions, DuelSettings
from evals.duel.sheet import SIDES, read_sides
from evals.evaluation import DryRun
from evals.judges import open_judges
from evals.judges.asking import Examined
from evals.judging import Jury
from evals.metrics.preference import PreferenceMetric
from evals.reports.build import preflight_info
from evals.tasks.base import Display
from evals.verdicts import VerdictStore
from fixtures.contracts.errors import UserError
from fixtures.contracts.manifest import library_versions

__all__ = ["hold"]


def hold(
    a: str,
    b: str,
    data: Path,
    settings: DuelSettings,
    options: DuelOptions,
    ratings: Sequence[Path],
    display: Display,
) -> Duel:
    """Hold the duel, or go on with one: what was answered or judged before is not asked for again.

    Raises UserError for every mistake, before anybody is asked where it can be
    known then; DryRun; KeyboardInterrupt once what is finished is kept.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    judges = open_judges(settings)
    if not options.reference and not all(judge.is_llm for judge in judges):
        raise UserError("--judge rubric counts words shared with the reference; without it there is nothing to count")
    contest = open_contest(a, b, data, settings)
    said = _read_ratings(contest, settings, options, ratings)
    for warning in contest.file.warnings:
        display.say(warning)
    metric = PreferenceMetric()
    store_path = settings.verdict_store or settings.save_to / "verdicts.sqlite"
    with VerdictStore(store_path) as store, Jury(judges, store, settings, [metric]) as jury:
        for notice in store.notices:
            display.say(notice)
        if settings.dry_run and not contest.answered:
            raise DryRun(
                f"dry run: up to {2 * len(contest.drawn) * settings.repeats * len(judges):,} calls of the judge, two "
                f"for each of {len(contest.drawn):,} rows and vote; the candidates' answers tell how many, and nobody "
                "was asked for them"
            )
        preflight: dict[str, Examined] = {}
        if not contest.answered:
            # A judge that cannot judge is found out before hours of answering.
            preflight = jury.preflight(display.say)
        rows = contest_of(contest, reference=options.reference, progress=display.predicting)
        judgements = asked_of(rows)
        if settings.dry_run:
            raise DryRun(jury.estimate(judgements))
        if contest.answered and jury.missing(judgements):
            preflight = jury.preflight(display.say)
        judging = jury.judge(judgements, display.stage)
    if judging.interrupted:
        display.say(f"interrupted; the verdicts so far are in {store_path}, and the same command goes on from there")
        raise KeyboardInterrupt
    results = [result_of(row, judging.verdicts) for row in rows]
    run = DuelRun(
        started=started.isoformat(timespec="seconds"),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=time.perf_counter() - clock,
        judging_seconds=judging.seconds,
        judging_stopped=judging.stopped,
        usage=judging.usage,
        preflight=[preflight_info(spec, examined) for spec, examined in preflight.items()],
        versions=library_versions("newsjudge", "deepeval", "scipy", "torch", "transformers"),
    )
    return duel_of(contest, results, judges, metric, settings, options, said, run)


def _read_ratings(contest: Contest, settings: DuelSettings, options: DuelOptions, paths: Sequence[Path]) -> Said | None:
    if not paths:
        if options.decide_by == "people":
            raise UserError("--decide-by people needs --ratings FILE")
        return None
    known = [row.id for row in contest.drawn]
    digest = pairs_digest(contest.a.digest, contest.b.digest, contest.file.digest)
    sides = read_sides(settings.save_to / SIDES, digest, known)
    return read_people(paths, known, sides, allow_missing=options.allow_missing)
