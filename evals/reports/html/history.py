"""The page of a history: the pass rate over time, a chart for each kind of report, and a table.

It has no script; the walls against hostile texts are the report page's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from evals.history import CONFIDENCE, Entry, History
from evals.reports.html.drawing import COLOURS, canvas, plain_style, to_svg
from evals.reports.html.frame import asset, render
from evals.reports.html.percent_axis import limits, rising_percent_axis
from evals.reports.html.tables import minimum
from evals.reports.html.wording import OUTCOMES, percent, points, points_between

__all__ = ["against", "history_page"]

_WIDE, _NARROW = 40, 16
"""Reports that a chart bears: on a desktop, and on a phone."""
_KINDS = 6
"""Kinds of reports that get a chart."""
_LETTERS = 52
"""Width of a date below a chart."""
_STYLE = """
.history th:first-child { min-width: 10rem; }
.history td:nth-child(2), .history td:nth-child(3) { min-width: 7rem; }
.history th .quiet { font-weight: 400; }
@media (min-width: 62.01rem) { .history .figure .quiet { display: block; } }
"""


class _Rate(NamedTuple):
    rate: float
    low: float
    high: float


class _Kind(NamedTuple):
    """Reports that can be compared: what the last of them is about, their chart, and how many it leaves out."""

    number: int
    latest: Entry
    reports: int
    chart: Markup
    older: int


def history_page(history: History) -> str:
    """The history as one self-contained page."""
    kinds = _kinds(history)
    latest = history.entries[-1] if history.entries else None
    return render(
        "history.html",
        style=asset("report.css") + _STYLE,
        colour=latest.report.gate.outcome if latest else "",
        history=history,
        entries=history.entries[::-1],
        kinds=kinds[:_KINDS],
        more_kinds=kinds[_KINDS:],
        narrow=_NARROW,
        against=against,
        place=_place,
        outcomes=OUTCOMES,
    )


def against(entry: Entry) -> str:
    """What a report says against the last one of its kind."""
    change = entry.difference
    if change is None:
        return entry.unlike or ""
    same = "the same sample" if change.samples == 1 else f"the same {change.samples:,} samples"
    interval = f"{percent(CONFIDENCE, 0)} interval {points_between(change.low, change.high)}"
    return f"{points(change.difference)} ({interval}) on {same}"


def _kinds(history: History) -> list[_Kind]:
    """Those that have a pass rate to show; the one of the latest report first."""
    drawn = [entry for entry in history.entries if _rate(entry) is not None]
    kinds: list[_Kind] = []
    for measure in dict.fromkeys(entry.measure for entry in reversed(drawn)):
        own = [entry for entry in drawn if entry.measure == measure]
        chart = _charts(own, measure) if len(kinds) < _KINDS else Markup()
        kinds.append(_Kind(measure + 1, own[-1], len(own), chart, max(0, len(own) - _WIDE)))
    return kinds


def _charts(entries: Sequence[Entry], measure: int) -> Markup:
    with plain_style():
        wide = _chart(entries[-_WIDE:], f"wide over-time kind-{measure}", 720)
        return wide + _chart(entries[-_NARROW:], f"narrow over-time kind-{measure}", 330)


def _place(history: History, entry: Entry) -> str:
    """Where a report lies: its folder, if its name says nothing more."""
    path = entry.path.relative_to(history.folder)
    return str(path.parent if path.name == "report.json" else path)


def _chart(entries: Sequence[Entry], name: str, width: int) -> Markup:
    """One place for each report in order of time: days without a run take no room."""
    rates = [rate for entry in entries if (rate := _rate(entry)) is not None]
    required = [minimum(entry.report) for entry in entries]
    ends = [end for rate in rates for end in rate] + [least for least in required if least is not None]
    low, high = limits(*_ends(ends), room=0.04)
    figure, axes = canvas(width, 300, left=46, right=16, top=12, bottom=34)
    axes.set_xlim(-0.6, max(len(entries), 6) - 0.4)
    rising_percent_axis(axes, low, high)
    for place, least in enumerate(required):
        if least is not None:
            axes.plot([place - 0.5, place + 0.5], [least, least], color=COLOURS["ink"], linewidth=1.3, dashes=(4, 3))
    axes.plot(range(len(rates)), [rate.rate for rate in rates], color=COLOURS["accent"], linewidth=1.2)
    for place, rate in enumerate(rates):
        axes.plot([place, place], [rate.low, rate.high], color=COLOURS["accent"], linewidth=3, solid_capstyle="butt")
        axes.plot([place], [rate.rate], "o", mfc=COLOURS["accent"], mec=COLOURS["wash"], markersize=8)
    step = max(1, -(-len(entries) * _LETTERS // (width - 62)))
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


def _day(entry: Entry) -> str:
    return f"{entry.when.day} {entry.when:%b}" if entry.when else "?"
