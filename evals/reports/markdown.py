"""``summary.md``: the verdict, the categories and the worst failures, on one page."""

from __future__ import annotations

import re

from evals.reports.model import CategoryRow, PassRate, Report, SampleRow

__all__ = ["WORST", "judge_in_words", "markdown"]

WORST = 10


def markdown(report: Report) -> str:
    """The report for a job summary or a merge request."""
    classic = report.classic
    lines = [
        f"# Evaluation: {report.gate.outcome}",
        "",
        f"**{escape(report.gate.sentence)}**",
        "",
        f"- Judge: {escape(judge_in_words(report))}",
        f"- Data: {escape(report.dataset.name)}, {report.tally.total} of {report.dataset.total:,} test documents"
        + "".join(f"; {count} left out: {escape(reason)}" for reason, count in report.dataset.dropped.items()),
        f"- Samples: {report.tally.passed} passed, {report.tally.failed} failed, {report.tally.unscored} unscored "
        f"(threshold {report.judge.threshold:g})",
        f"- Accuracy {classic.accuracy:.3f}, macro F1 {classic.macro.f1:.3f}, weighted F1 {classic.weighted.f1:.3f}",
        "",
        "## Categories",
        "",
        f"| category | samples | passed | failed | unscored | pass rate | {report.pass_rate.confidence:.0%} interval |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
        *(_category(row) for row in report.categories),
        "",
    ]
    worst = sorted(
        (sample for sample in report.samples if sample.state != "passed"),
        key=lambda sample: (sample.score if sample.score is not None else 2.0, sample.id),
    )
    if worst:
        shown = f"the worst {WORST} of {len(worst)}" if len(worst) > WORST else f"all {len(worst)}"
        lines += [
            f"## Samples that did not pass ({shown})",
            "",
            "| sample | expected | predicted | score | reason | text |",
            "| --- | --- | --- | ---: | --- | --- |",
            *(_sample(sample) for sample in worst[:WORST]),
            "",
        ]
    return "\n".join(lines)


def judge_in_words(report: Report) -> str:
    """Who judged; says plainly when it was no LLM."""
    judge = report.judge
    if not judge.is_llm:
        return f"{judge.spec} - rules that apply the metric's rubric to category names; it is no LLM"
    return f"{judge.spec} (model {judge.model}, scores {judge.score_mode})"


def _category(row: CategoryRow) -> str:
    tally = row.tally
    return (
        f"| {escape(row.category)} | {tally.total} | {tally.passed} | {tally.failed} | {tally.unscored} "
        f"| {_percent(row.pass_rate.rate)} | {_interval(row.pass_rate)} |"
    )


def _sample(sample: SampleRow) -> str:
    score = "unscored" if sample.score is None else f"{sample.score:.1f}"
    reason = sample.error if sample.error is not None else sample.reason
    cells = (sample.id, sample.expected, sample.predicted, score, _short(reason, 200), _short(sample.text, 120))
    return f"| {' | '.join(map(escape, cells))} |"


def _short(text: str, limit: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _percent(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.1%}"


def _interval(rate: PassRate) -> str:
    return "-" if rate.low is None or rate.high is None else f"{rate.low:.1%} to {rate.high:.1%}"


def escape(text: str) -> str:
    """``text`` as plain Markdown in a table cell: a text under test must not draw links, images or HTML."""
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]()#+!|~@])", r"\\\1", text)
