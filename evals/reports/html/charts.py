"""The report's charts: an interval, a column of intervals, a histogram, learning curves.

Each is drawn twice, for a desktop and for a phone: one drawing scaled to both
would have letters of 5 pixels on one of them. The style sheet shows one.
"""

from __future__ import annotations

from markupsafe import Markup

from evals.reports.html.drawing import COLOURS, canvas, display_width, plain_style, shortened, to_svg
from evals.reports.html.learning import draw_loss, draw_quality
from evals.reports.html.pass_rate import draw_pass_rate
from evals.reports.html.percent_axis import limits, percent_axis
from evals.reports.html.tables import by_pass_rate, minimum, score_bars
from evals.reports.model import Report

__all__ = ["CATEGORIES", "categories_chart", "loss_chart", "pass_rate_chart", "quality_chart", "scores_chart"]

_WIDE, _HALF, _NARROW = 720, 500, 330
"""Widths in pixels: a desktop's column, half of it, and a phone's."""
CATEGORIES = 40
"""Categories that a chart bears; of more, those with the lowest pass rates are drawn."""


def pass_rate_chart(report: Report) -> Markup:
    """The pass rate between its bounds, against what is required; empty if nothing was scored."""
    with plain_style():
        wide = draw_pass_rate(report, "wide pass-rate", _WIDE, ticks=11)
        return wide + draw_pass_rate(report, "narrow pass-rate", _NARROW, ticks=6)


def categories_chart(report: Report) -> Markup:
    """Pass rate and interval of every category, the lowest first; empty if nothing was scored."""
    if not report.tally.scored:
        return Markup()
    with plain_style():
        wide = _categories(report, "wide categories", _HALF, letters=30, ticks=6)
        return wide + _categories(report, "narrow categories", _NARROW, letters=18, ticks=4)


def scores_chart(report: Report) -> Markup:
    """How many samples got which score; empty if nothing was scored."""
    if not report.tally.scored:
        return Markup()
    with plain_style():
        return _scores(report, "wide scores", _HALF, 12.5) + _scores(report, "narrow scores", _NARROW, 10)


def loss_chart(report: Report) -> Markup:
    """The loss while training; empty if the manifest does not tell it."""
    with plain_style():
        return draw_loss(report, "wide loss", _HALF) + draw_loss(report, "narrow loss", _NARROW)


def quality_chart(report: Report) -> Markup:
    """Accuracy and macro F1 while training; empty if the manifest does not tell them."""
    with plain_style():
        return draw_quality(report, "wide quality", _HALF) + draw_quality(report, "narrow quality", _NARROW)


def _categories(report: Report, name: str, width: int, *, letters: int, ticks: int) -> Markup:
    rows = by_pass_rate(report)[:CATEGORIES]
    names = [shortened(row.category, letters) for row in rows]
    left = 14 + round(7.2 * max(map(display_width, names)))
    figure, axes = canvas(width, 27 * len(rows) + 34, left=left, right=22, top=4, bottom=30)
    least = minimum(report)
    ends = [end for row in rows for end in (row.pass_rate.low, row.pass_rate.high) if end is not None]
    low, high = limits(min(ends), max(ends), room=0.0)
    percent_axis(axes, low, high, ticks=ticks)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    stand_ins = {f"name {y}": (names[y], row.category) for y, row in enumerate(rows)}
    axes.set_yticks(range(len(rows)), list(stand_ins))
    axes.spines["bottom"].set_visible(False)
    axes.hlines(range(len(rows)), low, high, colors=COLOURS["line"], linewidth=0.8, clip_on=False, zorder=0)
    if least is not None and low <= least <= high:
        axes.axvline(least, color=COLOURS["ink"], linewidth=1.3, dashes=(4, 3), clip_on=False)
    for y, row in enumerate(rows):
        rate = row.pass_rate
        if rate.rate is None or rate.low is None or rate.high is None:
            axes.annotate("no verdict", (low, y), (4, 3), textcoords="offset points", color=COLOURS["unscored"])
            continue
        axes.plot([rate.low, rate.high], [y, y], color=COLOURS["accent"], linewidth=3, clip_on=False)
        axes.plot([rate.rate], [y], "o", markersize=8, color=COLOURS["accent"], clip_on=False)
    label = f"Pass rate of each category with its {report.pass_rate.confidence:.0%} interval, as in the table"
    return to_svg(figure, name=name, label=label, texts=stand_ins)


def _scores(report: Report, name: str, width: int, size: float) -> Markup:
    bars = score_bars(report)
    figure, axes = canvas(width, 230, left=8, right=8, top=44, bottom=30)
    places = range(len(bars))
    failed, passed = [bar.failed for bar in bars], [bar.passed for bar in bars]
    axes.bar(places, failed, 0.74, color=COLOURS["fail"], linewidth=0)
    axes.bar(places, passed, 0.74, bottom=failed, color=COLOURS["pass"], linewidth=0)
    totals = [bar.failed + bar.passed for bar in bars]
    for place, total in zip(places, totals, strict=True):
        if total:
            axes.annotate(
                f"{total:,}", (place, total), (0, 4), textcoords="offset points", ha="center", fontsize=size
            )  # fmt: skip
    axes.set_xlim(-0.6, len(bars) - 0.4)
    axes.set_ylim(0, max(totals))
    axes.set_yticks([])
    axes.set_xticks(places, [f"{bar.low:g}" for bar in bars])
    # A bar stands for the scores from its label up to the next: it begins half a place left of its label.
    if len({metric.threshold for metric in report.judge.metrics}) < 2:
        edge, top = report.judge.threshold * 10 - 0.5, 1.24 * max(totals)
        axes.plot([edge, edge], [0, top], color=COLOURS["ink"], linewidth=1.3, dashes=(4, 3), clip_on=False)
        side, shift = ("right", -6) if edge > 3 else ("left", 6)
        axes.annotate(
            f"passes from {report.judge.threshold:g}", (edge, top), (shift, 0), textcoords="offset points", ha=side,
            va="top", color=COLOURS["muted"], annotation_clip=False,
        )  # fmt: skip
    told = ", ".join(f"{bar.low:g}: {total:,}" for bar, total in zip(bars, totals, strict=True) if total)
    return to_svg(figure, name=name, label=f"Samples by score: {told}")
