"""``summary.md``: the verdict, the categories and the worst failures, on one page.

It must fit where it is shown. GitHub refuses a job summary of more than 1 MiB
and a comment of more than 65,536 characters, and then shows nothing at all. So
the page is made of blocks; what does not fit is left out as a whole, and said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from evals.gate import Tally
from evals.reports.in_words import (
    judge_in_words,
    measure_in_words,
    noise_in_words,
    scores_in_words,
    truth_in_words,
    usage_in_words,
)
from evals.reports.model import Report
from evals.reports.rows import PassRate, SampleRow
from fixtures.contracts.files import printable

__all__ = [
    "LEAST", "LIMIT", "WORST", "escape", "judge_in_words", "markdown", "noise_in_words", "truth_in_words",
    "usage_in_words",
]  # fmt: skip

LIMIT = 1_048_576
"""Bytes of a job summary on GitHub."""
LEAST = 1000
"""Bytes below which nothing sensible is left."""
WORST = 10
"""Failures in sight; those up to the ``_FOLDED``-th are folded away, ``_FOLD`` in each block."""
_FOLDED, _FOLD = 100, 30
_CATEGORIES = 12
"""A longer table of categories is folded away."""


class _Block(NamedTuple):
    """Lines that stand or fall together, and what they are called if they fall."""

    name: str
    lines: list[str]


def markdown(report: Report, *, limit: int = LIMIT) -> str:
    """The report for a job summary or a merge request, at most ``limit`` bytes long.

    Raises ValueError for a limit below `LEAST`.
    """
    if limit < LEAST:
        raise ValueError(f"a summary cannot be held to {limit} bytes; at least {LEAST} are needed")
    shown = [f"# Evaluation: {report.gate.outcome}\n\n**{_within(report.gate.sentence, limit // 2)}**\n"]
    blocks = [_facts(report), *_metrics(report), _categories(report), *_samples(report)]
    notice = _notice([block.name for block in blocks], limit)
    room = limit - len(shown[0].encode("utf-8")) - len(notice.encode("utf-8")) - 2
    left_out = []
    for block in blocks:
        text = "\n".join(block.lines) + "\n"
        size = len(text.encode("utf-8")) + 1
        if size <= room:
            shown.append(text)
            room -= size
        else:
            left_out.append(block.name)
    return "\n".join(shown + ([_notice(left_out, limit)] if left_out else []))


def _notice(names: Sequence[str], limit: int) -> str:
    return f"*Left out to stay within {limit:,} bytes: {', '.join(names)}. The whole of it is in the report.*\n"


def _facts(report: Report) -> _Block:
    stopped, chat = report.run.judging_stopped, report.task == "chat"
    said = [
        f"Judge: {judge_in_words(report)}",
        *(line[:1].upper() + line[1:] for line in [*noise_in_words(report), *truth_in_words(report)]),
        *([f"Judging stopped: {stopped}"] if stopped else []),
        f"Data: {report.dataset.name}, {report.tally.total} of {report.dataset.total:,} "
        + ("rows" if chat else "test documents")
        + "".join(f"; {count} left out: {reason}" for reason, count in report.dataset.dropped.items()),
        f"Samples: {report.tally.passed} passed, {report.tally.failed} failed, {report.tally.unscored} unscored "
        f"({'all metrics must reach their thresholds' if chat else f'threshold {report.judge.threshold:g}'})",
    ]
    if (classic := report.classic) is not None:
        said.append(
            f"Accuracy {classic.accuracy:.3f}, macro F1 {classic.macro.f1:.3f}, weighted F1 {classic.weighted.f1:.3f}"
        )
    if report.text:
        said.append(f"Beside the references: {', '.join(map(measure_in_words, report.text))}")
    return _Block("what was measured", [f"- {_within(line, 2000)}" for line in said])


def _metrics(report: Report) -> Iterator[_Block]:
    """A chat model's metrics; nothing for news."""
    if report.metrics:
        names = [f"{row.name} ({row.kind}, from {row.threshold:g})" for row in report.metrics]
        rows = zip(names, report.metrics, strict=True)
        counts = [(name, row.tally, row.pass_rate) for name, row in rows]
        yield _Block("the metrics", ["## Metrics", "", *_counts("metric", counts, report.pass_rate.confidence)])


def _categories(report: Report) -> _Block:
    rows = report.categories
    counts = [(row.category, row.tally, row.pass_rate) for row in rows]
    table = _counts("category", counts, report.pass_rate.confidence)
    name = f"{len(rows):,} categories"
    return _Block(name, ["## Categories", "", *(_folded(name, table) if len(rows) > _CATEGORIES else table)])


def _counts(title: str, rows: Sequence[tuple[str, Tally, PassRate]], confidence: float) -> list[str]:
    return [
        f"| {title} | samples | passed | failed | unscored | pass rate | {confidence:.0%} interval |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
        *(
            f"| {_cell(name, 120)} | {tally.total} | {tally.passed} | {tally.failed} | {tally.unscored} "
            f"| {_percent(rate.rate)} | {_interval(rate)} |"
            for name, tally, rate in rows
        ),
    ]


def _samples(report: Report) -> Iterator[_Block]:
    worst = sorted(
        (sample for sample in report.samples if sample.state != "passed"),
        key=lambda sample: (sample.score if sample.score is not None else 2.0, sample.id),
    )
    if not worst:
        return
    shown = f"the worst {_FOLDED} of {len(worst):,}" if len(worst) > _FOLDED else f"all {len(worst)}, the worst first"
    first = min(WORST, len(worst))
    heading = [f"## Samples that did not pass ({shown})", ""]
    table = _table_of_answers if report.task == "chat" else _table
    yield _Block(f"the worst {first} samples that did not pass", heading + table(worst[:first]))
    for start in range(WORST, min(_FOLDED, len(worst)), _FOLD):
        rows = worst[start : min(start + _FOLD, _FOLDED)]
        name = f"{start + 1} to {start + len(rows)}"
        yield _Block(f"samples that did not pass, {name}", _folded(f"The next {len(rows)}: {name}", table(rows)))


def _folded(summary: str, lines: Sequence[str]) -> list[str]:
    # A blank line on each side: within HTML, Markdown is Markdown only after one.
    return ["<details>", f"<summary>{summary}</summary>", "", *lines, "", "</details>"]


def _table(samples: Sequence[SampleRow]) -> list[str]:
    head = ["| sample | expected | predicted | score | reason | text |", "| --- | --- | --- | ---: | --- | --- |"]
    return head + [_sample(sample) for sample in samples]


def _table_of_answers(samples: Sequence[SampleRow]) -> list[str]:
    head = ["| sample | question | answer | reference | scores | reason |", "| --- | --- | --- | --- | --- | --- |"]
    return head + [
        f"| {_cell(sample.id, 120)} | {_cell(sample.text, 200)} | {_cell(sample.predicted, 300)} "
        f"| {_cell(sample.expected, 200)} | {_cell(scores_in_words(sample), 200)} "
        f"| {_cell(sample.reason if sample.error is None else sample.error, 200)} |"
        for sample in samples
    ]


def _sample(sample: SampleRow) -> str:
    score = "unscored" if sample.score is None else f"{sample.score:.1f}"
    reason = sample.error if sample.error is not None else sample.reason
    names = [_cell(name, 120) for name in (sample.id, sample.expected, sample.predicted)]
    return f"| {' | '.join([*names, score, _cell(reason, 200), _cell(sample.text, 120)])} |"


def _cell(text: str, length: int) -> str:
    text = " ".join(printable(text).split())
    return escape(text if len(text) <= length else text[: length - 1] + "…")


def _percent(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.1%}"


def _interval(rate: PassRate) -> str:
    return "-" if rate.low is None or rate.high is None else f"{rate.low:.1%} to {rate.high:.1%}"


def _within(text: str, size: int) -> str:
    """``text``, escaped, in at most ``size`` bytes; cut between characters, never within an escape."""
    text = " ".join(printable(text).split())
    whole = escape(text)
    if len(whole.encode("utf-8")) <= size:
        return whole
    # No character takes more than eight bytes: three of a mark that breaks links, five of an entity.
    return escape(text[: size // 8 - 1] + "…")


def escape(text: str) -> str:
    """``text`` as plain Markdown in a table cell: a text under test must not draw links, images or HTML.

    Addresses, mentions (``@name``) and references (``#1``) become links only after
    Markdown is read, so no backslash stops them; an invisible mark within does.
    """
    text = " ".join(printable(text).split())
    text = re.sub(r"(?<=[@#!])(?=\w)|(?<=:)(?=//)|(?<=www)(?=\.)", "\u200b", text, flags=re.IGNORECASE)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]()#+!|~@$])", r"\\\1", text)
