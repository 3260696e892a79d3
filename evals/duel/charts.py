"""The pictures of a duel: who won what, the net preference between its bounds, and that of each category."""

from __future__ import annotations

from math import ceil, floor
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes

from evals.duel.model import CategoryResult, Duel, Standing
from evals.reports.html.drawing import COLOURS, canvas, display_width, plain_style, shortened, to_svg

__all__ = ["CATEGORIES", "categories_chart", "net_chart", "outcomes_chart"]

_WIDE, _HALF, _NARROW = 720, 500, 330
CATEGORIES = 40
"""Categories that a chart bears; of more, the first are drawn."""
_LANE = 0.36
"""Where the interval lies, as a share of the height."""


def outcomes_chart(standing: Standing) -> Markup:
    """B's wins, ties and A's wins as parts of one bar."""
    with plain_style():
        return _outcomes(standing, "wide outcomes", _WIDE) + _outcomes(standing, "narrow outcomes", _NARROW)


def net_chart(duel: Duel, standing: Standing) -> Markup:
    """The net preference and its interval, with the margin of the gate if there is one."""
    with plain_style():
        return _net(duel, standing, "wide net", _WIDE, 11) + _net(duel, standing, "narrow net", _NARROW, 5)


def categories_chart(duel: Duel) -> Markup:
    """Net preference and interval of each category; empty if there is one category only."""
    rows = [row for row in duel.categories if row.standing is not None][:CATEGORIES]
    if len(rows) < 2:
        return Markup()
    with plain_style():
        wide = _categories(rows, duel, "wide categories", _HALF, letters=28, ticks=5)
        return wide + _categories(rows, duel, "narrow categories", _NARROW, letters=16, ticks=3)


def _outcomes(standing: Standing, name: str, width: int) -> Markup:
    figure, axes = canvas(width, 62, left=1, right=1, top=24, bottom=6)
    axes.set_xlim(0, standing.rows)
    axes.set_ylim(0, 1)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines["bottom"].set_visible(False)
    parts = (
        ("A wins", standing.a_wins, "muted", 0.0, "left"),
        ("ties", standing.ties, "line", standing.a_wins + standing.ties / 2, "center"),
        ("B wins", standing.b_wins, "accent", float(standing.rows), "right"),
    )
    start = 0
    for words, count, colour, place, side in parts:
        axes.barh(0.5, count, 1, left=start, color=COLOURS[colour], linewidth=0)
        start += count
        # The middle is named where there is room between the ends.
        if side != "center" or count > 0.2 * standing.rows:
            axes.annotate(
                f"{words} {count:,}", (place, 1), (0, 6), textcoords="offset points", ha=side, fontweight="bold",
                annotation_clip=False,
            )  # fmt: skip
    label = (
        f"Of {standing.rows:,} rows A wins {standing.a_wins:,}, {standing.ties:,} are ties, B wins {standing.b_wins:,}"
    )
    return to_svg(figure, name=name, label=label)


def _net(duel: Duel, standing: Standing, name: str, width: int, ticks: int) -> Markup:
    margin = duel.gate.margin
    ends = [standing.net_low, standing.net_high, 0.0, *([-margin] if margin is not None else [])]
    figure, axes = canvas(width, 132, left=12, right=12, top=22, bottom=28)
    _points_axis(axes, *_limits(ends), ticks=ticks)
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    low, high = axes.get_xlim()
    if margin is not None:
        axes.axvspan(-margin, high, color=COLOURS["wash"], linewidth=0, clip_on=False)
        axes.axvline(-margin, color=COLOURS["ink"], linewidth=1.5, dashes=(4, 3), clip_on=False)
    axes.axvline(0, color=COLOURS["muted"], linewidth=1, clip_on=False)
    for words, place, side in (("for A", low, "left"), ("for B", high, "right")):
        axes.annotate(
            words, (place, 1), (0, 6), textcoords="offset points", ha=side, color=COLOURS["muted"],
            annotation_clip=False,
        )  # fmt: skip
    line: dict[str, Any] = {"color": COLOURS["accent"], "linewidth": 2, "clip_on": False}
    axes.plot([standing.net_low, standing.net_high], [_LANE, _LANE], **line)
    for end in (standing.net_low, standing.net_high):
        axes.plot([end, end], [_LANE - 0.08, _LANE + 0.08], **line)
    if duel.gate.low is not None and duel.gate.high is not None:
        axes.plot([duel.gate.low, duel.gate.high], [_LANE, _LANE], **line | {"linewidth": 7, "solid_capstyle": "butt"})
    axes.plot(
        [standing.net], [_LANE], "o", markersize=13, markeredgewidth=2, mfc=COLOURS["accent"], mec=COLOURS["wash"],
        clip_on=False,
    )  # fmt: skip
    # Beside a line that would strike the figure out.
    room = 34 / width * (high - low)
    struck = any(abs(standing.net - place) < room for place in (0.0, *([-margin] if margin is not None else [])))
    axes.annotate(
        _signed(standing.net), (standing.net, _LANE), (12 if struck else 0, 14), textcoords="offset points",
        ha="left" if struck else "center", fontsize=16, fontweight="bold", annotation_clip=False,
    )  # fmt: skip
    label = (
        f"Net preference for B {_signed(standing.net)} points, between {_signed(standing.net_low)} and "
        f"{_signed(standing.net_high)}"
    )
    if margin is not None:
        label += f"; at least {_signed(-margin)} is required"
    return to_svg(figure, name=name, label=label)


def _categories(rows: list[CategoryResult], duel: Duel, name: str, width: int, *, letters: int, ticks: int) -> Markup:
    names = [shortened(row.category, letters) for row in rows]
    left = 14 + round(7.2 * max(map(display_width, names)))
    figure, axes = canvas(width, 27 * len(rows) + 34, left=left, right=22, top=4, bottom=30)
    found = [row.standing for row in rows if row.standing is not None]
    low, high = _limits([end for standing in found for end in (standing.net_low, standing.net_high, 0.0)])
    _points_axis(axes, low, high, ticks=ticks)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    stand_ins = {f"name {y}": (names[y], row.category) for y, row in enumerate(rows)}
    axes.set_yticks(range(len(rows)), list(stand_ins))
    axes.spines["bottom"].set_visible(False)
    axes.hlines(range(len(rows)), low, high, colors=COLOURS["line"], linewidth=0.8, clip_on=False, zorder=0)
    axes.axvline(0, color=COLOURS["muted"], linewidth=1, clip_on=False)
    for y, standing in enumerate(found):
        axes.plot([standing.net_low, standing.net_high], [y, y], color=COLOURS["accent"], linewidth=3, clip_on=False)
        axes.plot([standing.net], [y], "o", markersize=8, color=COLOURS["accent"], clip_on=False)
    label = f"Net preference for B in each category with its {duel.confidence:.0%} interval, as in the table"
    return to_svg(figure, name=name, label=label, texts=stand_ins)


def _limits(ends: list[float]) -> tuple[float, float]:
    """Tens of points that hold all ``ends``."""
    return max(-1.0, floor(min(ends) * 10 - 0.2) / 10), min(1.0, ceil(max(ends) * 10 + 0.2) / 10)


def _points_axis(axes: Axes, low: float, high: float, *, ticks: int) -> None:
    axes.set_xlim(low, high)
    step = next(step for step in (5, 10, 20, 25, 50, 100) if (high - low) * 100 / step <= ticks)
    places = [place for place in range(-100, 101, step) if round(low * 100) <= place <= round(high * 100)]
    names = [f"{place:+d}".replace("-", "\N{MINUS SIGN}") if place else "0" for place in places]
    axes.set_xticks([place / 100 for place in places], names)


def _signed(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "\N{MINUS SIGN}")
