"""A comparison in sentences and tables. Its texts are of others: none reaches a terminal as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fixtures.contracts.files import printable

if TYPE_CHECKING:
    from evals.comparison import CategoryDifference, Change, Comparison, Difference, Side
    from evals.noninferiority import NoWorse

__all__ = ["about", "cell", "headline", "in_words", "say", "show", "table"]

SHOWN = 20
"""Samples listed unless all are wanted."""
_WIDTH = 60
"""Characters of a foreign text."""


def show(comparison: Comparison, names: tuple[str, str], console: Console, *, everything: bool) -> None:
    """Print all of ``comparison``; ``names`` are what the baseline and the new report are called."""
    rate, limit = comparison.pass_rate, None if everything else SHOWN
    if comparison.accuracy is not None:
        say(console, f"accuracy: {_rates(comparison.accuracy)}")
    for metric in comparison.metrics:
        adjusted = _p(metric.p_adjusted, "Holm p = ")
        say(console, f"{cell(metric.metric)}: {_rates(metric.pass_rate)}; {adjusted} among {len(comparison.metrics)}")
    if comparison.unscored:
        say(console, f"{_samples(comparison.unscored)} left out: no verdict in one of the reports")
    for note in comparison.notes:
        say(console, f"note: {note}")
    if len(comparison.categories) > 1 and rate.gained + rate.lost:
        _show_categories(comparison, names, console, everything)
    for line in _changes(comparison.changes, limit):
        say(console, line)
    for name, ids in zip(names, (comparison.only_in_baseline, comparison.only_in_new), strict=True):
        if ids:
            more = f" and {len(ids) - SHOWN} more; --all lists them" if len(ids[:limit]) < len(ids) else ""
            say(console, f"{_samples(len(ids))} only in {name}: {', '.join(map(cell, ids[:limit]))}{more}")


def about(name: str, path: Path, side: Side) -> str:
    """Which model a report is about, and when."""
    model = side.model
    base = f" from {cell(model.base_model)}" if model.base_model else ""
    kind = model.source
    return f"{name}: {path} ({kind} {cell(model.digest[:12])}{base}, {_samples(side.samples)}, {cell(side.finished)})"


def headline(comparison: Comparison, names: tuple[str, str]) -> str:
    """The difference in a sentence."""
    rate, (old, new) = comparison.pass_rate, names
    same = "the same sample" if rate.samples == 1 else f"the same {rate.samples:,} samples"
    said = f"{new} passes {_points(abs(rate.difference))} points {'less' if rate.difference < 0 else 'more'} than {old}"
    if rate.difference == 0:
        said = f"{new} passes as many as {old}"
    rates = _rates(rate, f" with {100 * comparison.confidence:.4g}% confidence")
    return f"{said[:1].upper()}{said[1:]} on {same}: {rates}"


def in_words(verdict: NoWorse, names: tuple[str, str]) -> str:
    """Whether the new report is no worse, in a sentence."""
    old, new = names
    by = f"worse than {old} by more than {100 * verdict.margin:.4g} points"
    said = {
        "pass": f"{new} is not {by}",
        "fail": f"{new} is {by}",
        "inconclusive": f"undecided whether {new} is {by}",
    }[verdict.outcome]
    bounds = f"one-sided bounds {_signed(verdict.low)} and {_signed(verdict.high)} points at"
    way_out = f"; {verdict.way_out}" if verdict.way_out else ""
    return f"{said[:1].upper()}{said[1:]} ({bounds} {100 * verdict.confidence:.4g}% confidence each){way_out}"


def _rates(rate: Difference, confidence: str = "") -> str:
    return (
        f"{rate.new:.1%} against {rate.baseline:.1%}, a difference between {_signed(rate.low)} and "
        f"{_signed(rate.high)} points{confidence}, {_p(rate.p_value, 'p = ')} (McNemar, mid-p); "
        f"{rate.lost} lost, {rate.gained} gained"
    )


def _show_categories(comparison: Comparison, names: tuple[str, str], console: Console, everything: bool) -> None:
    rows = sorted(comparison.categories, key=lambda row: (row.pass_rate.p_value, row.category))
    changed = rows if everything else [row for row in rows if row.pass_rate.gained + row.pass_rate.lost]
    shown = table(
        "category",
        "n",
        *(name.split()[-1] for name in names),
        "points",
        "lost",
        "gained",
        "Holm p",
        texts=["category"],
    )
    for row in changed:
        rate = row.pass_rate
        shares = f"{rate.baseline:.1%}", f"{rate.new:.1%}", _signed(rate.difference)
        counts = f"{rate.lost}", f"{rate.gained}"
        shown.add_row(Text(cell(row.category)), f"{rate.samples}", *shares, *counts, _p(row.p_adjusted))
    console.print(shown, soft_wrap=False)
    if len(changed) < len(rows):
        say(console, f"no sample changed in the other {len(rows) - len(changed)} of {len(rows)} categories")
    say(console, _named([row for row in rows if row.p_adjusted < 1 - comparison.confidence], len(rows)))


def _named(rows: Sequence[CategoryDifference], total: int) -> str:
    adjusted = f"p-values adjusted for {total} categories, Holm"
    if not rows:
        return f"no single category is shown to have changed ({adjusted})"
    words = (f"{cell(row.category)} ({'worse' if row.pass_rate.difference < 0 else 'better'})" for row in rows)
    return f"shown to have changed: {', '.join(words)} ({adjusted})"


def _changes(changes: Sequence[Change], limit: int | None) -> Iterator[str]:
    if not changes:
        yield "no sample changed between passed and failed"
        return
    yield f"{_samples(len(changes))} changed between passed and failed, lost ones first:"
    shown = changes[:limit]
    width = max(len(cell(change.id)) for change in shown)
    for change in shown:
        before, after = cell(change.predicted_before), cell(change.predicted_after)
        answers = before if change.predicted_before == change.predicted_after else f"{before} -> {after}"
        scores = f"score {_score(change.score_before)} -> {_score(change.score_after)}"
        yield f"  {change.change:6}  {cell(change.id):{width}}  expected {cell(change.expected)}: {answers} ({scores})"
    if len(shown) < len(changes):
        yield f"  and {len(changes) - len(shown)} more; --all lists them"


def table(*names: str, texts: Sequence[str]) -> Table:
    """An empty table; columns called ``texts`` wrap where the terminal is narrow, the others do not."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in names:
        wraps = name in texts
        made.add_column(Text(name), overflow="fold", no_wrap=not wraps, justify="left" if wraps else "right")
    return made


def say(console: Console, text: str) -> None:
    """Print a line, whatever it holds, and let the terminal break it."""
    console.print(Text(printable(text)), soft_wrap=True)


def cell(text: str) -> str:
    """A foreign text fit for a line: printable, in one line, not long."""
    text = " ".join(printable(text).split())
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"


def _samples(count: int) -> str:
    return f"{count:,} sample{'' if count == 1 else 's'}"


def _signed(share: float) -> str:
    return f"{'-' if share < 0 else '+' if share else ''}{_points(abs(share))}"


def _points(share: float) -> str:
    # One sample of thousands is a difference, too.
    points = 100 * share
    return f"{points:.1f}" if points >= 0.1 or points == 0 else f"{points:.2g}"


def _p(value: float, before: str = "") -> str:
    return f"{before}{value:.2g}" if value >= 0.0001 else f"{before.removesuffix('= ')}<{' ' if before else ''}0.0001"


def _score(score: float | None) -> str:
    return "-" if score is None else f"{score:.2g}"
