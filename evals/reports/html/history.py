"""The page of a history: a chart of the pass rate over time, and a table.

It has no script; the walls against hostile texts are the report page's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup
from matplotlib.axes import Axes

from evals.history import Entry, History
from evals.reports.html.drawing import COLOURS, canvas, plain_style, to_svg
from evals.reports.html.page import _asset, _environment, _icon, _policy
from evals.reports.html.percent_axis import limits
from evals.reports.html.tables import minimum
from evals.reports.html.wording import OUTCOMES, percent, points, points_between

__all__ = ["WIDE", "against", "history_page"]

WIDE, _NARROW = 40, 16
"""Reports that a chart bears: on a desktop, and on a phone."""
_STYLE = "\n.history td:nth-child(2), .history td:nth-child(3) { min-width: 8.5rem; }\n"


class _Rate(NamedTuple):
    rate: float
    low: float
    high: float


def history_page(history: History) -> str:
    """The history as one self-contained page."""
    style = _asset("report.css") + _STYLE
    drawn = [entry for entry in history.entries if _rate(entry) is not None]
    latest = history.entries[-1] if history.entries else None
    return (
        _environment()
        .get_template("history.html")
        .render(
            history=history,
            entries=history.entries[::-1],
            drawn=len(drawn),
            wide=WIDE,
            chart=_charts(drawn),
            against=against,
            outcomes=OUTCOMES,
            icon=_icon(latest.report.gate.outcome if latest else ""),
            policy=_policy(style, ""),
            style=Markup(style),
        )
    )


def against(entry: Entry) -> str:
    """What a report says against the last one of its kind."""
    change = entry.difference
    if change is None:
        return entry.unlike or ""
    same = "the same sample" if change.samples == 1 else f"the same {change.samples:,} samples"
    return f"{points(change.difference)}, between {points_between(change.low, change.high)}, on {same}"


def _charts(entries: Sequence[Entry]) -> Markup:
    if not entries:
        return Markup()
    with plain_style():
        wide = _chart(entries[-WIDE:], "wide history", 720, letters=52)
        return wide + _chart(entries[-_NARROW:], "narrow history", 330, letters=52)


def _chart(entries: Sequence[Entry], name: str, width: int, *, letters: int) -> Markup:
    """One place for each report in order of time: days without a run take no room."""
    rates = [rate for entry in entries if (rate := _rate(entry)) is not None]
    required = [minimum(entry.report) for entry in entries]
    ends = [end for rate in rates for end in rate] + [least for least in required if least is not None]
    low, high = limits(*_ends(ends), room=0.04)
    figure, axes = canvas(width, 300, left=46, right=16, top=12, bottom=34)
    axes.set_xlim(-0.6, max(len(entries), 6) - 0.4)
    _percent_axis(axes, low, high)
    for place, least in enumerate(required):
        if least is not None:
            axes.plot([place - 0.5, place + 0.5], [least, least], color=COLOURS["ink"], linewidth=1.3, dashes=(4, 3))
    for measure in {entry.measure for entry in entries}:
        # A line joins what can be compared, and nothing else.
        places = [place for place, entry in enumerate(entries) if entry.measure == measure]
        axes.plot(places, [rates[place].rate for place in places], color=COLOURS["accent"], linewidth=1.2)
    for place, rate in enumerate(rates):
        axes.plot([place, place], [rate.low, rate.high], color=COLOURS["accent"], linewidth=3, solid_capstyle="butt")
        axes.plot([place], [rate.rate], "o", mfc=COLOURS["accent"], mec=COLOURS["wash"], markersize=8)
    step = max(1, -(-len(entries) * letters // (width - 62)))
    shown = range(len(entries) - 1, -1, -step)
    axes.set_xticks(shown, [_day(entries[place]) for place in shown])
    told = f"Pass rate of {len(entries)} reports with their intervals, from {percent(rates[0].rate)} in the oldest"
    return to_svg(figure, name=name, label=f"{told} to {percent(rates[-1].rate)} in the latest, as in the table")


def _rate(entry: Entry) -> _Rate | None:
    rate = entry.report.pass_rate
    if rate.rate is None or rate.low is None or rate.high is None:
        return None
    return _Rate(rate.rate, rate.low, rate.high)


def _ends(values: Sequence[float]) -> tuple[float, float]:
    # A foreign report may claim anything; a rate lies within 0 and 1.
    shares = [min(1.0, max(0.0, value)) for value in values]
    return min(shares), max(shares)


def _percent_axis(axes: Axes, low: float, high: float) -> None:
    """`percent_axis` makes an axis from left to right; this one rises."""
    axes.set_ylim(low, high)
    step = 5 if high - low <= 0.4 else 10 if high - low <= 0.7 else 20
    places = [place for place in range(0, 101, step) if round(low * 100) <= place <= round(high * 100)]
    axes.set_yticks([place / 100 for place in places], [f"{place}%" for place in places])
    axes.grid(axis="y", color=COLOURS["line"], linewidth=0.8)


def _day(entry: Entry) -> str:
    return f"{entry.when.day} {entry.when:%b}" if entry.when else "?"
