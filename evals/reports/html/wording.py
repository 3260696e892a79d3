"""Figures as people read them; the templates' filters."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from evals.gate import Condition
from evals.reports.rows import PassRate
from evals.reports.trust import RateInfo

__all__ = ["FILTERS", "OUTCOMES", "interval", "percent"]

OUTCOMES = {
    "pass": "Pass",
    "fail": "Fail",
    "inconclusive": "Inconclusive",
    "incomplete": "Incomplete",
    "not evaluated": "Not evaluated",
}
NOTHING = "\N{EN DASH}"


def percent(share: float | None, digits: int = 1) -> str:
    """0.831 as 83.1%."""
    return NOTHING if share is None else f"{share:.{digits}%}"


def required(share: float) -> str:
    """A requirement, without digits that nobody gave."""
    return f"{share * 100:.6g}%"


def points(share: float) -> str:
    """A difference of two shares, in percentage points."""
    return f"{_signed(share)} points"


def points_between(low: float, high: float) -> str:
    """The ends of an interval for a difference."""
    return f"{_signed(low)} to {points(high)}"


def _signed(share: float) -> str:
    return f"{share * 100:+.1f}".replace("-", "\N{MINUS SIGN}")


def interval(rate: PassRate | RateInfo) -> str:
    """Both ends, if there are any."""
    return NOTHING if rate.low is None or rate.high is None else f"{percent(rate.low)} to {percent(rate.high)}"


def number(value: float | None) -> str:
    """1234567 as 1,234,567; fractions with four significant digits."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def score(value: float | None) -> str:
    """A score in 0..1."""
    if value is None:
        return NOTHING
    return f"{value:.1f}" if value == round(value, 1) else f"{value:.3f}"


def _amount(condition: Condition, value: float | None) -> str:
    """A value of a condition, in its unit."""
    if value is None:
        return NOTHING
    if condition.unit == "count":
        return f"{value:,.0f}"
    return points(value) if condition.unit == "difference" else percent(value)


def measured(condition: Condition) -> str:
    """What was found."""
    return _amount(condition, condition.value)


def bounds(condition: Condition) -> str:
    """The one-sided bounds, if there are any."""
    if condition.low is None or condition.high is None:
        return NOTHING
    if condition.unit == "difference":
        return points_between(condition.low, condition.high)
    return f"{_amount(condition, condition.low)} to {_amount(condition, condition.high)}"


def requirement(condition: Condition) -> str:
    """What the gate asks for."""
    share = condition.unit == "share"
    amount = required(condition.required) if share else _amount(condition, condition.required)
    return f"{condition.bound} {amount}"


def figure(value: Any) -> str:
    """A count, or a metric with three digits; training's manifest may hold anything."""
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else NOTHING


def duration(seconds: float | None) -> str:
    """Seconds in the unit that fits."""
    if seconds is None:
        return NOTHING
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def moment(iso: str) -> str:
    """An ISO time as 3 July 2026, 14:02 UTC; anything else as it is."""
    try:
        time = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{time.day} {time:%B %Y, %H:%M}" + (f" {time.tzname()}" if time.tzinfo else "")


def value(anything: Any) -> str:
    """A setting or a detail, whatever its type."""
    if anything is None or anything == "" or anything == []:
        return NOTHING
    if isinstance(anything, bool):
        return "yes" if anything else "no"
    if isinstance(anything, str):
        return anything
    if isinstance(anything, int):
        return str(anything)
    if isinstance(anything, float):
        return f"{anything:.6g}"
    if isinstance(anything, (list, tuple)) and all(isinstance(entry, str) for entry in anything):
        return ", ".join(anything)
    return json.dumps(anything, ensure_ascii=False, default=str)


def position(entries: Sequence[Any], wanted: Any) -> int:
    """The place of an entry; -1 if it is none."""
    return entries.index(wanted) if wanted in entries else -1


def headline(sentence: str, outcome: str) -> tuple[bool, str, str]:
    """Whether the gate's sentence begins with its outcome; what else it says first; the rest of it."""
    said = sentence.removeprefix(f"{outcome}: ")
    named = said != sentence
    if named:
        said = said[:1].upper() + said[1:]
    cut = re.search(r"; |, between ", said)
    first, rest = (said, "") if cut is None else (said[: cut.start()], said[cut.start() :])
    return named, first, rest


FILTERS: dict[str, Callable[..., Any]] = {
    "percent": percent,
    "required": required,
    "points": points,
    "points_between": points_between,
    "interval": interval,
    "measured": measured,
    "bounds": bounds,
    "requirement": requirement,
    "number": number,
    "score": score,
    "figure": figure,
    "duration": duration,
    "moment": moment,
    "value": value,
    "position": position,
    "headline": headline,
}
