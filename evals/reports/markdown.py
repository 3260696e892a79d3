"""``summary.md``: the verdict, the categories and the worst failures, on one page."""

from __future__ import annotations

import re

from evals.reports.model import CategoryRow, PassRate, Report, SampleRow

__all__ = ["WORST", "judge_in_words", "markdown", "noise_in_words", "truth_in_words", "usage_in_words"]

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
        *(f"- {escape(line[:1].upper() + line[1:])}" for line in [*noise_in_words(report), *truth_in_words(report)]),
        *([f"- Judging stopped: {escape(report.run.judging_stopped)}"] if report.run.judging_stopped else []),
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
    said = f"{judge.spec} (model {judge.model}, scores {judge.score_mode}"
    if len(judge.members) > 1:
        said += f", panel of {len(judge.members)}"
    if judge.repeats > 1:
        said += f", median of {judge.repeats} repeats"
    return said + ")"


def usage_in_words(report: Report) -> str:
    """What the judge was asked in this run, and what that cost."""
    usage = report.run.usage
    said = f"asked {usage.calls} times, {usage.cache_hits} verdicts from the store"
    if usage.retries or usage.bad_answers:
        said += f"; {usage.retries} requests repeated, {usage.bad_answers} answers were no verdict"
    if report.judge.is_llm and usage.tokens_in:
        about = "about " if usage.tokens_estimated else ""
        said += f"; {about}{usage.tokens_in:,} tokens in, {usage.tokens_out:,} out"
    if usage.cost is not None:
        said += f"; cost {usage.cost:.4g}"
    if report.judge.is_llm and usage.latency_median is not None and usage.latency_p95 is not None:
        said += f"; latency {usage.latency_median:.2f} s (median), {usage.latency_p95:.2f} s (95th percentile)"
    return said


def noise_in_words(report: Report) -> list[str]:
    """How much votes disagreed, if anything was asked twice; and whether the judge could be misled."""
    said = []
    noise, judge = report.noise, report.judge
    if noise is not None and noise.flip_rate is not None and judge.repeats > 1:
        said.append(
            f"repeats: {noise.flipped_pairs} of {noise.pairs} pairs flipped ({noise.flip_rate:.1%}), "
            f"score spread {noise.mean_spread:.3f} on average, {noise.max_spread:.2f} at most"
        )
    if noise is not None and noise.disagreement_rate is not None and len(judge.members) > 1:
        said.append(
            f"panel: judges disagree on passing {noise.disagreed_pairs} of {noise.pairs} pairs "
            f"({noise.disagreement_rate:.1%})"
        )
    if noise is not None and noise.confirmed_pairs:
        said.append(
            f"confirmations: {noise.overturned_pairs} of {noise.confirmed_pairs} failing pairs pass when judged again "
            f"({noise.overturned_samples} samples); not counted, for failures alone got a second chance"
        )
    if report.probes is not None:
        probes = report.probes
        said.append(f"probes: {probes.succeeded} of {len(probes.probes)} attempts to mislead the judge succeeded")
    return said


def truth_in_words(report: Report) -> list[str]:
    """How the judge does against the labels; what they say of the model is the accuracy and needs no judge."""
    truth = report.judge_truth
    if truth is None:
        return []
    said = []
    for name, rate, words in (
        ("sensitivity", truth.sensitivity, "right answers pass"),
        ("specificity", truth.specificity, "wrong answers fail"),
    ):
        if rate is None:
            said.append(f"judge's {name}: not measured, there is no such answer")
        else:
            said.append(
                f"judge's {name}: {rate.rate:.1%} of {words} ({rate.low:.1%} to {rate.high:.1%}; "
                f"{rate.samples} samples, {rate.pairs} distinct pairs)"
            )
    return said


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
