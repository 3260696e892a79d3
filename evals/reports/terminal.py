"""What the terminal shows at the end: the verdict first, then why, then where."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.cells import cell_len, set_cell_size

from evals.gate import Condition, Outcome, Tally
from evals.reports.in_words import (
    judge_in_words,
    measure_in_words,
    noise_in_words,
    scores_in_words,
    truth_in_words,
    usage_in_words,
)
from evals.reports.model import Report
from evals.reports.rows import PassRate
from fixtures.contracts.files import printable

__all__ = ["COLOURS", "condition_line", "sample_lines", "summary_lines"]

COLOURS: dict[Outcome, dict[str, bool]] = {
    "pass": {"green": True, "bold": True},
    "fail": {"red": True, "bold": True},
    "inconclusive": {"yellow": True, "bold": True},
    "incomplete": {"red": True, "bold": True},
    "not evaluated": {"yellow": True},
}
# Ends of lines, and the marks that turn the direction of what follows: a line of ours stays a line, and reads as such.
_SPACES = dict.fromkeys((0x09, 0x0A, 0x0D, 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)), " ")
# GitHub's runner obeys "##[command]" anywhere in a log, and "::command::" where a line begins.
_COMMAND = re.compile(r"#(?=#\[)|^\s*:(?=:)")


def sample_lines(report: Report) -> Iterator[str]:
    """A line for each sample that did not pass."""
    for row in report.samples:
        if row.state == "unscored":
            yield _line(f"unscored {row.id}: {row.error}", 240)
        elif row.state == "failed" and report.task == "chat":
            yield _line(f"failed   {row.id}: {scores_in_words(row)}: {row.reason}", 240)
        elif row.state == "failed":
            said = f"expected {row.expected}, got {row.predicted}, score {row.score:.3g}: {row.reason}"
            yield _line(f"failed   {row.id}: {said}", 240)


def _line(text: str, limit: int) -> str:
    """``text`` as one line that neither a terminal nor a CI log obeys, at most ``limit`` characters long."""
    line = _COMMAND.sub(r"\g<0> ", printable(text).translate(_SPACES))
    return line if len(line) <= limit else line[: limit - 1] + "…"


def summary_lines(report: Report, folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """Lines with their markup, as pytest's terminal takes them."""
    plain: dict[str, Any] = {}
    lines = _counts("category", [(row.category, row.tally, row.pass_rate) for row in report.categories])
    if report.metrics:
        lines += _counts("metric", [(row.name, row.tally, row.pass_rate) for row in report.metrics])
    lines += [
        (f"judge: {judge_in_words(report)}", plain),
        (usage_in_words(report), plain),
        *((line, plain) for line in noise_in_words(report)),
        *((line, plain) for line in truth_in_words(report)),
        *((line, plain) for line in _without_judge(report)),
        *((condition_line(condition), plain) for condition in report.gate.conditions),
        *((f"{title + ':':9} {folder / name}", plain) for title, name in _FILES),
        *_stopped(report),
        (report.gate.sentence, COLOURS[report.gate.outcome]),
    ]
    return [(_line(line, 4000), markup) for line, markup in lines]


def _counts(title: str, rows: Sequence[tuple[str, Tally, PassRate]]) -> list[tuple[str, dict[str, Any]]]:
    """A table of tallies by name."""
    names = [_line(name, 60) for name, *_ in rows]
    width = max(map(cell_len, [title, *names]))
    lines: list[tuple[str, dict[str, Any]]] = [(f"{title:{width}}  samples  passed  failed  unscored  pass rate", {})]
    for name, (_, tally, rate) in zip(names, rows, strict=True):
        shown = "-" if rate.rate is None else f"{rate.rate:.1%}"
        counts = f"{tally.total:7}  {tally.passed:6}  {tally.failed:6}  {tally.unscored:8}"
        lines.append((f"{set_cell_size(name, width)}  {counts}  {shown:>9}", {}))
    return lines


def _without_judge(report: Report) -> list[str]:
    """What the labels or the references say of the answers by themselves."""
    if report.classic is not None:
        return [f"accuracy {report.classic.accuracy:.3f}, macro F1 {report.classic.macro.f1:.3f}"]
    if not report.text:
        return []
    return [f"beside the references: {', '.join(map(measure_in_words, report.text))}"]


def _stopped(report: Report) -> list[tuple[str, dict[str, Any]]]:
    if report.run.judging_stopped is None:
        return []
    said = f"judging stopped: {report.run.judging_stopped}; what was answered is stored, the same command goes on"
    return [(said, COLOURS["incomplete"])]


_FILES = (
    ("page", "report.html"),
    ("report", "report.json"),
    ("summary", "summary.md"),
    ("samples", "samples.csv"),
    ("JUnit", "junit.xml"),
    ("DeepEval", "deepeval-result.json"),
    ("verdict", "verdict.json"),
)


def condition_line(condition: Condition) -> str:
    """One requirement of the gate in a line."""
    value = _amount(condition, condition.value)
    if condition.low is not None and condition.high is not None:
        value += f" ({_amount(condition, condition.low)} to {_amount(condition, condition.high)})"
    needed = f"{condition.bound} {_amount(condition, condition.required, digits='g')}"
    needed += " required" if condition.bound == "at least" else " allowed"
    return _line(f"{condition.name}: {value}, {needed}: {condition.outcome} ({condition.detail})", 4000)


def _amount(condition: Condition, value: float | None, *, digits: str = ".1f") -> str:
    if value is None:
        return "-"
    if condition.unit == "count":
        return f"{value:g}"
    return f"{value * 100:{digits}}%" if condition.unit == "share" else f"{value * 100:+{digits}} points"
