"""A calibration in words and tables, for people who do not calibrate judges every day."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from evals.calibration.model import Calibration, Correlation, Disagreement, KappaInfo, MeasuredRate, RaterAgreement
from fixtures.contracts.files import printable

__all__ = ["describe", "judge_in_words", "percents"]

_RATERS_SHOWN = 20
_REASON = 300
_WIDTH = 100


def describe(calibration: Calibration) -> str:
    """All that is found: how it was come by, the raters, the judge, the pass rate, the judge's worst errors."""
    blocks = [
        _sources(calibration),
        _raters(calibration.truth.agreement, calibration.confidence),
        _judge(calibration),
        _confusion(calibration),
        _scores(calibration.correlations),
        _flips(calibration),
        _pass_rates(calibration),
        _worst(calibration),
        *(textwrap.wrap(f"Note: {printable(note)}.", _WIDTH) for note in calibration.notes),
    ]
    return "\n\n".join("\n".join(lines) for block in blocks if (lines := list(block)))


def judge_in_words(calibration: Calibration) -> str:
    """Whose verdicts these are."""
    judge = calibration.judge
    if judge is None:
        return printable(calibration.source.name)
    repeats = f", {judge.repeats} repeats" if judge.repeats > 1 else ""
    return printable(f"{judge.spec} (threshold {judge.threshold:g}{repeats})")


def percents(low: float, high: float) -> str:
    """An interval."""
    return f"{low:.1%} to {high:.1%}"


def _sources(calibration: Calibration) -> Iterator[str]:
    source, truth, counts = calibration.source, calibration.truth, calibration.confusion
    unscored = f", {source.unscored:,} of them without a verdict" if source.unscored else ""
    yield f"Judge: {judge_in_words(calibration)}, {source.samples:,} samples{unscored}"
    how = {None: "all of them", True: "a random part", False: "no random part"}[truth.random]
    right, wrong = counts.true_pass + counts.false_fail, counts.false_pass + counts.true_fail
    yield printable(f"Truth: {truth.name}")
    yield f"  {truth.measured:,} samples count ({how}): {right:,} should pass, {wrong:,} should fail"


def _raters(agreement: Sequence[RaterAgreement], confidence: float) -> Iterator[str]:
    if not agreement:
        return
    yield "Do the raters agree? (kappa: 0 is chance, 1 is full agreement)"
    last = ">rank correlation" if any(row.spearman is not None for row in agreement) else ""
    rows = [("raters", ">samples", ">equal", ">kappa", f"{confidence:.0%} interval", last)]
    for row in sorted(agreement, key=_kappa_of)[:_RATERS_SHOWN]:
        names = printable(f"{row.first}, {row.second}")
        if row.kappa is None:
            rows.append((names, "0", "-", "-", "no sample in common", ""))
        else:
            spearman = "" if row.spearman is None else f"{row.spearman:.2f}"
            rows.append((names, f"{row.samples:,}", f"{row.kappa.observed:.1%}", *_kappa(row.kappa), spearman))
    yield from _aligned(rows)
    if len(agreement) > _RATERS_SHOWN:
        yield f"  (the {_RATERS_SHOWN} least agreeing of {len(agreement)} pairs of raters)"


def _kappa_of(row: RaterAgreement) -> float:
    return row.kappa.kappa if row.kappa is not None and row.kappa.kappa is not None else 2.0


def _judge(calibration: Calibration) -> Iterator[str]:
    yield "How good is the judge?"
    rows = [("", ">", f"{calibration.confidence:.0%} interval", "measured on")]
    for name, rate in (
        ("passes what is right (sensitivity)", calibration.sensitivity),
        ("fails what is wrong (specificity)", calibration.specificity),
        ("agrees with the truth (accuracy)", calibration.accuracy),
    ):
        if rate is None:
            rows.append((name, "-", "-", "no such sample"))
        else:
            rows.append((name, f"{rate.rate:.1%}", percents(rate.low, rate.high), _measured_on(rate)))
    rows.append(("agrees beyond chance (kappa)", *_kappa(calibration.kappa), "0 is chance, 1 is full agreement"))
    yield from _aligned(rows)
    if calibration.sensitivity and calibration.specificity:
        right, wrong = 100 * calibration.sensitivity.rate, 100 * (1 - calibration.specificity.rate)
        yield f"  It passes {right:.0f} of 100 right answers, and {wrong:.0f} of 100 wrong ones."


def _measured_on(rate: MeasuredRate) -> str:
    samples = f"{rate.samples:,} samples"
    if rate.clusters == rate.samples:
        return samples
    return f"{samples} in {rate.clusters:,} distinct pairs (worth {rate.effective:.3g} independent ones)"


def _confusion(calibration: Calibration) -> Iterator[str]:
    counts = calibration.confusion
    yield from _aligned(
        [
            ("", ">should pass", ">should fail"),
            ("judge passes", f"{counts.true_pass:,} right", f"{counts.false_pass:,} wrong"),
            ("judge fails", f"{counts.false_fail:,} wrong", f"{counts.true_fail:,} right"),
        ]
    )


def _scores(correlations: Sequence[Correlation]) -> Iterator[str]:
    if not correlations:
        return
    names = {"spearman": "Spearman's rho", "kendall": "Kendall's tau"}
    first = correlations[0]
    yield f"Do scores rank samples as the truth does ({'mean ratings' if first.graded else 'pass or fail'})? 1 is fully"
    yield "  all together: " + ", ".join(f"{names[row.kind]} {_correlation(row.pooled)}" for row in correlations)
    if first.groups:
        found = ", ".join(f"{names[row.kind]} {_correlation(row.grouped)}" for row in correlations)
        skipped = f"{first.skipped} of {first.groups} groups skipped, where nothing varies"
        yield f"  within groups, on average: {found}; {skipped}"


def _correlation(value: float | None) -> str:
    return "undefined, as nothing varies" if value is None else f"{value:.2f}"


def _flips(calibration: Calibration) -> Iterator[str]:
    flips = calibration.flips
    if flips is None:
        return
    unit = "samples" if calibration.judge is None else "distinct pairs"
    changed = f"Asked again, the judge changed its mind on {flips.flipped:,} of {flips.asked_again:,} {unit}"
    spread = "" if flips.mean_spread is None else f"; scores spread by {flips.mean_spread:.3f} on average"
    yield f"{changed}: {flips.rate:.1%} ({percents(flips.low, flips.high)}){spread}"


def _pass_rates(calibration: Calibration) -> Iterator[str]:
    rates = calibration.pass_rate
    yield f"What is the pass rate of {rates.about}?"
    rows = [("", "method", ">rate", f"{calibration.confidence:.0%} interval", "what it is")]
    for row in rates.estimates:
        best = "->" if row.method == rates.recommended else ""
        if row.rate is None or row.low is None or row.high is None:
            rows.append((best, row.method, "-", "-", row.meaning))
        else:
            rows.append((best, row.method, f"{row.rate:.1%}", percents(row.low, row.high), row.meaning))
    yield from _aligned(rows)
    said = f"Recommended: {rates.recommended}, because" if rates.recommended else "None can be recommended:"
    said += f" {rates.reason}."
    yield from textwrap.wrap(said, _WIDTH, initial_indent="  ", subsequent_indent="  ")


def _worst(calibration: Calibration) -> Iterator[str]:
    if not calibration.worst:
        return
    scored = any(row.score is not None for row in calibration.worst)
    order = "the judge's surest errors first" if scored else "some of them"
    yield f"Where do judge and truth differ? On {calibration.disagreements:,} samples; {order}:"
    for row in calibration.worst:
        yield f"  {_headline(row)}"
        if row.reason:
            reason = printable(textwrap.shorten(row.reason, _REASON, placeholder=" ..."))
            yield from textwrap.wrap(reason, _WIDTH, initial_indent="    ", subsequent_indent="    ")


def _headline(row: Disagreement) -> str:
    kind = "wrongly passed" if row.kind == "false pass" else "wrongly failed"
    score = "" if row.score is None else f" (score {row.score:.3g})"
    others = f" and {row.samples - 1} more" if row.samples > 1 else ""
    about = f": {row.about}" if row.about else ""
    return printable(f"{kind}{score}: {row.id}{others}{about}")


def _kappa(kappa: KappaInfo) -> tuple[str, str]:
    if kappa.kappa is None or kappa.low is None or kappa.high is None:
        return "-", "undefined: all answers are one and the same"
    return f"{kappa.kappa:.3f}", f"{kappa.low:.2f} to {kappa.high:.2f}"


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Columns as wide as their cells; one whose heading begins with ">" is flush right."""
    flush_right = [heading.startswith(">") for heading in rows[0]]
    rows = [tuple(cell.removeprefix(">") for cell in rows[0]), *rows[1:]]
    widths = [max(map(len, column)) for column in zip_longest(*rows, fillvalue="")]
    for row in rows:
        cells = zip(row, widths, flush_right, strict=True)
        yield (
            "  "
            + "  ".join(f"{cell:>{width}}" if right else f"{cell:{width}}" for cell, width, right in cells).rstrip()
        )
