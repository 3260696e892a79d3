"""What a report says of its judge, in words; one line each, unescaped."""

from __future__ import annotations

from evals.reports.model import Report
from evals.reports.rows import SampleRow
from evals.text_measures import TextMeasure

__all__ = [
    "MEASURES",
    "judge_in_words",
    "measure_in_words",
    "noise_in_words",
    "scores_in_words",
    "truth_in_words",
    "usage_in_words",
]

MEASURES = {
    "exact_match": "Exact match",
    "token_f1": "Token F1",
    "rouge_1": "ROUGE-1",
    "rouge_2": "ROUGE-2",
    "rouge_l": "ROUGE-L",
    "chrf": "chrF",
    "bleu": "BLEU",
}
"""Measures of a text beside its reference, as people call them."""


def judge_in_words(report: Report) -> str:
    """Who judged; says plainly when it was no LLM."""
    judge = report.judge
    if not judge.is_llm:
        if report.task == "chat":
            asked = any(metric.kind == "judge" for metric in judge.metrics)
            return f"{judge.spec} - counts words; it is no LLM" if asked else "none: all metrics are rules"
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
    if report.run.shards:
        said.append(f"merged from {len(report.run.shards)} shards: {_conflicts(report)}")
    if report.probes is not None:
        probes = report.probes
        said.append(f"probes: {probes.succeeded} of {len(probes.probes)} attempts to mislead the judge succeeded")
    return said


def _conflicts(report: Report) -> str:
    found, pairs = report.conflicts, report.judge.distinct_pairs
    if not found:
        return f"they agree on all {pairs} distinct pairs"
    flipped = [row for row in found if row.flipped]
    return (
        f"they disagree on the score of {len(found)} of {pairs} distinct pairs, and on passing {len(flipped)} of them "
        f"({sum(row.samples for row in flipped)} samples); each sample keeps its shard's verdict"
    )


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


def measure_in_words(measure: TextMeasure) -> str:
    """``Token F1 0.534 (0.482 to 0.588)``."""
    interval = "" if measure.low is None else f" ({measure.low:.3f} to {measure.high:.3f})"
    return f"{MEASURES[measure.name]} {measure.value:.3f}{interval}"


def scores_in_words(sample: SampleRow) -> str:
    """Each metric's score of an answer: ``correctness 0.3, style 1``."""
    return ", ".join(
        f"{metric.name} {'unscored' if metric.score is None else f'{metric.score:.2g}'}" for metric in sample.metrics
    )
