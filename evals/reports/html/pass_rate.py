"""The chart on top: the pass rate between its bounds, against what is required."""

from __future__ import annotations

from typing import Any, NamedTuple

from markupsafe import Markup
from matplotlib.axes import Axes

from evals.reports.html.drawing import COLOURS, canvas, to_svg
from evals.reports.html.percent_axis import limits, percent_axis
from evals.reports.html.tables import minimum, rate_condition
from evals.reports.html.wording import percent, required
from evals.reports.model import Report

__all__ = ["draw_pass_rate"]

_MARGIN = 48
"""Room for a figure beside an interval that ends at 0 or 100 %."""
_LETTERS = 56
"""Width of a figure such as 81.2 %."""
_LANE = 0.34
"""Where the interval lies, as a share of the height."""


class _Shown(NamedTuple):
    """A rate and its interval, the bounds that decide, and the rate as judged where a corrected one decides."""

    rate: float
    low: float
    high: float
    bounds: tuple[float, float] | None
    judged: float | None


def _shown(report: Report) -> _Shown | None:
    decisive, rate = rate_condition(report), report.pass_rate
    if rate.rate is None or rate.low is None or rate.high is None:
        return None
    if decisive is None or decisive.value is None or decisive.low is None or decisive.high is None:
        return _Shown(rate.rate, rate.low, rate.high, None, None)
    bounds = decisive.low, decisive.high
    if decisive.name == "pass rate":
        return _Shown(rate.rate, rate.low, rate.high, bounds, None)
    return _Shown(decisive.value, *bounds, bounds, rate.rate)


def draw_pass_rate(report: Report, name: str, width: int, ticks: int) -> Markup:
    """The chart; empty if nothing was scored."""
    shown, least = _shown(report), minimum(report)
    if shown is None:
        return Markup()
    ends = [end for end in (shown.low, shown.high, shown.judged, least) if end is not None]
    low, high = limits(min(ends), max(ends), room=40 / width)
    figure, axes = canvas(width, 132, left=_MARGIN, right=_MARGIN, top=6, bottom=28)
    percent_axis(axes, low, high, ticks=ticks)
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    label = f"Pass rate {percent(shown.rate)}, between {percent(shown.low)} and {percent(shown.high)}"
    if least is not None:
        label += f"; at least {required(least)} is required"
        _requirement(axes, least)
    _interval(axes, shown)
    _figures(axes, shown, least, letters=_LETTERS / (width - 2 * _MARGIN) * (high - low))
    return to_svg(figure, name=name, label=label)


def _requirement(axes: Axes, least: float) -> None:
    low, high = axes.get_xlim()
    axes.axvspan(least, high, color=COLOURS["wash"], linewidth=0, clip_on=False)
    axes.axvline(least, color=COLOURS["ink"], linewidth=1.5, dashes=(4, 3), clip_on=False)
    left = least < (low + high) / 2
    axes.annotate(
        f"{required(least)} required", (least, 0.9), (6 if left else -6, 0), textcoords="offset points",
        ha="left" if left else "right", va="center", color=COLOURS["muted"], annotation_clip=False,
    )  # fmt: skip


def _interval(axes: Axes, shown: _Shown) -> None:
    line: dict[str, Any] = {"color": COLOURS["accent"], "linewidth": 2, "clip_on": False}
    axes.plot([shown.low, shown.high], [_LANE, _LANE], **line)
    for end in (shown.low, shown.high):
        axes.plot([end, end], [_LANE - 0.07, _LANE + 0.07], **line)
    if shown.bounds is not None:
        axes.plot(shown.bounds, [_LANE, _LANE], **line | {"linewidth": 7, "solid_capstyle": "butt"})
    dot: dict[str, Any] = {"markersize": 13, "markeredgewidth": 2, "clip_on": False}
    axes.plot([shown.rate], [_LANE], "o", mfc=COLOURS["accent"], mec=COLOURS["wash"], **dot)
    if shown.judged is not None:
        axes.plot([shown.judged], [_LANE], "o", mfc=COLOURS["wash"], mec=COLOURS["accent"], **dot | {"markersize": 9})


def _figures(axes: Axes, shown: _Shown, least: float | None, *, letters: float) -> None:
    """Figures beside the ends and above the dot, wherever the line of the requirement does not strike them out."""

    def write(text: str, place: float, shift: tuple[int, int], side: str, **style: Any) -> None:
        axes.annotate(
            text, (place, _LANE), shift, textcoords="offset points", ha=side, annotation_clip=False, **style
        )  # fmt: skip

    for end, outwards, side, back in ((shown.low, -1, "right", "left"), (shown.high, 1, "left", "right")):
        struck = least is not None and 0 <= (least - end) * outwards <= letters
        shift = (0, -17) if struck else (11 * outwards, 0)
        write(percent(end), end, shift, back if struck else side, va="center_baseline", color=COLOURS["muted"])
    bold: dict[str, Any] = {"fontsize": 16, "fontweight": "bold"}
    if least is None or abs(shown.rate - least) >= letters / 2:
        write(percent(shown.rate), shown.rate, (0, 13), "center", **bold)
    else:
        right = shown.rate >= least
        write(percent(shown.rate), least, (7 if right else -7, 13), "left" if right else "right", **bold)
