"""What the terminal shows at the end: the verdict first, then why, then where."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evals.gate import Condition, Outcome
from evals.reports.markdown import judge_in_words, noise_in_words, truth_in_words, usage_in_words
from evals.reports.model import Report

__all__ = ["COLOURS", "condition_line", "sample_lines", "summary_lines"]

COLOURS: dict[Outcome, dict[str, bool]] = {
    "pass": {"green": True, "bold": True},
    "fail": {"red": True, "bold": True},
    "inconclusive": {"yellow": True, "bold": True},
    "incomplete": {"red": True, "bold": True},
    "not evaluated": {"yellow": True},
}


def sample_lines(report: Report) -> Iterator[str]:
    """A line for each sample that did not pass."""
    for row in report.samples:
        if row.state == "unscored":
            yield _short(f"unscored {row.id}: {row.error}")
        elif row.state == "failed":
            yield _short(
                f"failed   {row.id}: expected {row.expected}, got {row.predicted}, score {row.score:.3g}: {row.reason}"
            )


def _short(line: str, limit: int = 240) -> str:
    line = line.translate({ord(end): " " for end in "\n\r\t"})
    return line if len(line) <= limit else line[: limit - 1] + "…"


def summary_lines(report: Report, folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """Lines with their markup, as pytest's terminal takes them."""
    plain: dict[str, Any] = {}
    width = max(len(row.category) for row in report.categories)
    lines = [(f"{'category':{width}}  samples  passed  failed  unscored  pass rate", plain)]
    for row in report.categories:
        tally, rate = row.tally, row.pass_rate.rate
        shown = "-" if rate is None else f"{rate:.1%}"
        counts = f"{tally.total:7}  {tally.passed:6}  {tally.failed:6}  {tally.unscored:8}"
        lines.append((f"{row.category:{width}}  {counts}  {shown:>9}", plain))
    classic = report.classic
    lines += [
        (f"judge: {judge_in_words(report)}", plain),
        (usage_in_words(report), plain),
        *((line, plain) for line in noise_in_words(report)),
        *((line, plain) for line in truth_in_words(report)),
        (f"accuracy {classic.accuracy:.3f}, macro F1 {classic.macro.f1:.3f}", plain),
        *((condition_line(condition), plain) for condition in report.gate.conditions),
        *((f"{title + ':':8} {folder / name}", plain) for title, name in _FILES),
        *_stopped(report),
        (report.gate.sentence, COLOURS[report.gate.outcome]),
    ]
    return lines


def _stopped(report: Report) -> list[tuple[str, dict[str, Any]]]:
    if report.run.judging_stopped is None:
        return []
    said = f"judging stopped: {report.run.judging_stopped}; what was answered is stored, the same command goes on"
    return [(said, COLOURS["incomplete"])]


_FILES = (
    ("page", "report.html"),
    ("report", "report.json"),
    ("summary", "summary.md"),
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
    return f"{condition.name}: {value}, {needed}: {condition.outcome} ({condition.detail})"


def _amount(condition: Condition, value: float | None, *, digits: str = ".1f") -> str:
    if value is None:
        return "-"
    if condition.unit == "count":
        return f"{value:g}"
    return f"{value * 100:{digits}}%" if condition.unit == "share" else f"{value * 100:+{digits}} points"
