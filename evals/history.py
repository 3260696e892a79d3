"""The pass rate over time: all reports in a folder, each against the last one that can be compared with it.

A rate that moves is news only if the same judge drew the same line on the same
data. So every report belongs to a measure (`evals.comparable.other_measure`),
and a difference is told within one measure alone, paired on the samples.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from evals.baselines import Baseline, list_baselines
from evals.comparable import other_measure, unfinished
from evals.comparison import Difference, compare
from evals.reports import Report, read_report
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import sha256_file

__all__ = ["CONFIDENCE", "Entry", "History", "Unread", "read_history"]

CONFIDENCE = 0.95
"""Two-sided, of the interval for a difference."""
_REPORT = re.compile(r"report(?:[-_].*)?\.json")
_HEX = re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{7,40}(?:-dirty)?(?![0-9A-Za-z])")


@dataclass(frozen=True)
class Entry:
    """One report; its rows of samples and pairs are left out, for hundreds of reports would not fit."""

    path: Path
    report: Report
    when: datetime | None
    """End of the run, else when it was saved; None if neither can be read."""
    commit: str | None
    """As the names of the file and its folders tell it."""
    name: str
    """What the baseline is called."""
    measure: int
    """Reports of one number can be compared."""
    against: Path | None = None
    """The last report of the same measure that was complete."""
    difference: Difference | None = None
    unlike: str | None = None
    """Why there is no difference."""


@dataclass(frozen=True)
class Unread:
    """A file that has a report's name and is none that can be read; or a folder that cannot be read."""

    path: Path
    problem: str
    """A sentence that names the path."""


@dataclass(frozen=True)
class History:
    """What stands in ``folder``, oldest first; ``measures`` counts what cannot be compared with each other."""

    folder: Path
    entries: list[Entry]
    unread: list[Unread]
    measures: int


def read_history(folder: Path) -> History:
    """All reports below ``folder``: ``report.json``, ``report-*.json`` and saved baselines.

    The copy that a baseline is of a report counts once. Raises UserError if there is no such folder.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; name one that holds reports")
    found: dict[str, Entry] = {}
    unread: list[Unread] = []
    for path, baseline in _files(folder, unread):
        try:
            if not path.is_file():
                raise UserError(f"{path} is no file")
            report, digest = read_report(path), sha256_file(path)
        except (UserError, OSError) as error:
            unread.append(Unread(path, str(error)))
            continue
        entry = _entry(path, report, baseline, folder)
        # Of a report and its copy, the one that tells its commit.
        if digest not in found or (found[digest].commit is None and entry.commit is not None):
            found[digest] = entry
    latest = datetime.max.replace(tzinfo=UTC)
    ordered = sorted(found.values(), key=lambda entry: (entry.when or latest, str(entry.path)))
    return _measured(folder, ordered, unread)


def _files(folder: Path, unread: list[Unread]) -> list[tuple[Path, Baseline | None]]:
    def failed(error: OSError) -> None:
        unread.append(Unread(Path(error.filename), f"cannot read {error.filename}: {error.strerror}"))

    found: list[tuple[Path, Baseline | None]] = []
    for place, folders, names in os.walk(folder, onerror=failed):
        folders.sort()
        baselines = list_baselines(Path(place)) if any(name.endswith(".json") for name in names) else []
        found += [(baseline.path, baseline) for baseline in baselines]
        found += [(Path(place, name), None) for name in sorted(names) if _REPORT.fullmatch(name)]
    return found


def _entry(path: Path, report: Report, baseline: Baseline | None, folder: Path) -> Entry:
    slim = report.model_copy(update={"samples": [], "pairs": []})
    saved = _moment(baseline.saved) if baseline else None
    if baseline and baseline.commit != "nocommit":
        commit: str | None = baseline.commit
    else:
        commit = None if baseline else _commit(path.relative_to(folder))
    name = baseline.name if baseline else ""
    return Entry(path, slim, _moment(report.run.finished) or saved, commit, name, measure=-1)


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _commit(path: Path) -> str | None:
    """A hash in the names, the file's own first; not a word (``defaced``), nor a date or a number of a run."""
    for part in reversed(path.parts):
        for match in _HEX.finditer(part):
            word = match[0].removesuffix("-dirty")
            if len(word) == 40 or (re.search("[0-9]", word) and re.search("[a-f]", word)):
                return match[0]
    return None


def _measured(folder: Path, entries: list[Entry], unread: list[Unread]) -> History:
    """Number the measures, and tell each report's difference to the last complete one of its measure."""
    first: list[Report] = []
    last: dict[int, Entry] = {}
    done: list[Entry] = []
    for entry in entries:
        judge, dataset = entry.report.judge, entry.report.dataset
        known = (number for number, report in enumerate(first) if not other_measure(report, judge, dataset))
        measure = next(known, len(first))
        if measure == len(first):
            first.append(entry.report)
        entry = _compared(replace(entry, measure=measure), last.get(measure), done[-1] if done else None)
        if unfinished(entry.report) is None:
            last[measure] = entry
        done.append(entry)
    return History(folder, done, unread, len(first))


def _compared(entry: Entry, before: Entry | None, neighbour: Entry | None) -> Entry:
    if (said := unfinished(entry.report)) is not None:
        return replace(entry, unlike=said)
    if before is None:
        if neighbour is None or neighbour.measure == entry.measure:
            return replace(entry, unlike="the first of its kind")
        reasons = other_measure(neighbour.report, entry.report.judge, entry.report.dataset)
        return replace(entry, unlike=f"the first of its kind: {'; '.join(reasons)}")
    try:
        # Read again: the samples of all reports at once would not fit.
        comparison = compare(read_report(before.path), read_report(entry.path), confidence=CONFIDENCE)
    except UserError as error:
        reasons = str(error).splitlines()
        return replace(entry, against=before.path, unlike="; ".join(line.strip() for line in reasons[1:] or reasons))
    return replace(entry, against=before.path, difference=comparison.pass_rate)
