"""Which reports of shards make one report: those of all parts of one draw, measured alike.

Whatever else is given is refused, with all reasons at once: whoever collects
the reports of many machines should not have to mend one mistake at a time.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from evals.comparable import other_measure
from evals.reports import Verdict, read_report
from evals.reports.model import Report
from evals.reports.shards import ShardInfo
from evals.sharding import draw_digest
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import printable, sha256_file

__all__ = ["ShardReport", "read_shards"]

_MUST_AGREE = ("precision", "repeats", "confirm_failures", "probe_judge", "judge_price_in", "judge_price_out")
"""Settings that can change figures and stand in no digest. Where a run finds its files, and how fast, is its own."""


@dataclass(frozen=True)
class ShardReport:
    """A shard's report, where it was found, and its digest."""

    path: Path
    digest: str
    report: Report
    shard: ShardInfo

    def __str__(self) -> str:
        return f"{self.shard.index}/{self.shard.count}"


def read_shards(paths: Sequence[Path], *, decided: Collection[str]) -> list[ShardReport]:
    """All shards of one draw, in order, from report files or their folders.

    ``decided`` are keys of the gate's policy that the merge sets itself, on which
    the shards need not agree. Raises UserError with all reasons why these
    reports cannot be merged.
    """
    shards, problems = [], []
    for path in paths:
        try:
            shards.append(_read(path))
        except UserError as error:
            problems.append(str(error))
    # What is missing can only be said when everything was read.
    all_read = not problems
    shards.sort(key=lambda shard: (shard.shard.count, shard.shard.index))
    problems += _mixed(shards, decided)
    problems += _not_all_once(shards, all_read)
    problems = problems or list(_not_the_draw(shards))
    if problems:
        raise UserError("these reports cannot be merged:" + "".join(f"\n  {problem}" for problem in problems))
    return shards


def _read(path: Path) -> ShardReport:
    file = path / "report.json" if path.is_dir() else path
    report, digest = read_report(file), sha256_file(file)
    if path.is_dir():
        _check_seal(path, digest)
    if report.shard is None:
        raise UserError(f"{path}: is about a whole draw, not about a shard of it")
    if not report.complete:
        raise UserError(f"{path}: is not complete: {printable(report.gate.sentence)}")
    if len(report.shard.places) != len(report.samples):
        raise UserError(f"{path}: is damaged: {len(report.shard.places)} places for {len(report.samples)} samples")
    return ShardReport(path, digest, report, report.shard)


def _check_seal(folder: Path, digest: str) -> None:
    """``verdict.json`` is written last: without it the run was stopped while it wrote."""
    seal = folder / "verdict.json"
    try:
        verdict = Verdict.model_validate_json(seal.read_bytes())
    except OSError as error:
        raise UserError(f"{folder}: is half-written: cannot read {seal.name}: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{seal}: is damaged") from error
    if verdict.report_digest != digest:
        raise UserError(f"{folder}: report.json is not the one that its {seal.name} is about: the digests differ")


def _mixed(shards: Sequence[ShardReport], decided: Collection[str]) -> Iterator[str]:
    """Each difference once, with the first shard and all that differ from it in this way."""
    apart: dict[str, list[ShardReport]] = defaultdict(list)
    for shard in shards[1:]:
        for reason in _apart(shards[0].report, shard.report, decided):
            apart[reason].append(shard)
    for reason, others in apart.items():
        yield f"{_named([shards[0], *others])}: {reason}"


def _apart(one: Report, other: Report, decided: Collection[str]) -> Iterator[str]:
    if one.model.digest != other.model.digest:
        yield f"models differ: {_subject(one)} and {_subject(other)}"
    yield from other_measure(one, other.judge, other.dataset)
    if one.dataset.digest == other.dataset.digest and _draw(one) != _draw(other):
        yield f"draws differ: {_draw_in_words(one)} and {_draw_in_words(other)}"
    for name in _MUST_AGREE:
        values = one.settings.get(name), other.settings.get(name)
        if values[0] != values[1]:
            yield f"--{name.replace('_', '-')} differs: {values[0]} and {values[1]}"
    for name in sorted(one.gate.policy.keys() | other.gate.policy.keys()):
        values = one.gate.policy.get(name), other.gate.policy.get(name)
        if name not in decided and values[0] != values[1]:
            yield f"gates differ in {name}: {values[0]} and {values[1]}; --policy FILE sets one for all"


def _subject(report: Report) -> str:
    return printable(f"{report.model.source} {report.model.digest[:8]}")


def _draw(report: Report) -> tuple[int, str]:
    assert report.shard is not None
    return report.dataset.drawn, report.shard.draw_digest


def _draw_in_words(report: Report) -> str:
    drawn, digest = _draw(report)
    return printable(f"{drawn} samples with seed {report.settings.get('seed')} (digest {digest[:8]})")


def _not_all_once(shards: Sequence[ShardReport], all_read: bool) -> Iterator[str]:
    """Shards of several numbers, given twice, or missing."""
    counts = sorted({shard.shard.count for shard in shards})
    for count in counts:
        found = [shard for shard in shards if shard.shard.count == count]
        if len(counts) > 1:
            yield f"{_named(found)}: of {count} shards, others of {', '.join(str(n) for n in counts if n != count)}"
        for index, times in Counter(shard.shard.index for shard in found).items():
            if times > 1:
                yield f"shard {index}/{count} is given {times} times: " + _named(
                    [shard for shard in found if shard.shard.index == index]
                )
    if len(counts) == 1 and all_read:
        missing = sorted(set(range(1, counts[0] + 1)) - {shard.shard.index for shard in shards})
        if missing:
            yield f"of {counts[0]} shards these are missing: {_some([str(index) for index in missing], most=20)}"


def _not_the_draw(shards: Sequence[ShardReport]) -> Iterator[str]:
    """The proof that nothing is missing and nothing is counted twice, whatever the shards' numbers say."""
    rows = sorted(
        (place, row.id, row.digest)
        for shard in shards
        for place, row in zip(shard.shard.places, shard.report.samples, strict=True)
    )
    drawn, digest = _draw(shards[0].report)
    twice = [name for name, times in Counter(name for _, name, _ in rows).items() if times > 1]
    if twice:
        yield f"{len(twice)} samples stand in more than one report: {_some(twice)}"
    elif len(rows) != drawn:
        yield f"the reports have {len(rows)} of the {drawn} samples that were drawn"
    elif draw_digest((name, text) for _, name, text in rows) != digest:
        yield "the samples are not those that were drawn, or not in their places: their digest differs from the draw's"


def _named(shards: Sequence[ShardReport]) -> str:
    return _some([str(shard.path) for shard in shards])


def _some(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return printable(", ".join(names[:most])) + more
