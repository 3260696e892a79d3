"""How far a stage is, as one line of text that fits the room there is.

Plain ASCII, for logs and terminals of any encoding.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from evals.progress.snapshots import Judged, Predicted, Snapshot

__all__ = ["Line", "running_line", "totals_line"]


@dataclass(frozen=True, slots=True)
class Line:
    """Parts in reading order, each by its name and with its forms, the longest first.

    Where the line is too long, the parts named in ``gives_way`` take their next
    form, one after the other; a part without a next form is left out.
    """

    parts: dict[str, list[str]]
    gives_way: tuple[str, ...]

    def fit(self, width: float = inf) -> str:
        """The line in at most ``width`` characters."""
        forms = {name: list(part) for name, part in self.parts.items()}
        for name in self.gives_way:
            if len(_joined(forms)) <= width:
                break
            if forms.get(name):
                forms[name].pop(0)
        line = _joined(forms)
        return line if len(line) <= width else line[: max(0, int(width))]


def _joined(forms: dict[str, list[str]]) -> str:
    return ", ".join(part[0] for part in forms.values() if part)


def running_line(title: str, shown: Snapshot, *, elapsed: float, left: float | None, confidence: float | None) -> Line:
    """A stage under way; ``left`` is the time it still needs, if that is known."""
    short = f"{shown.done:,}/{shown.total:,}"
    long = f"{title} {shown.done:,} of {shown.total:,} {_what(shown)}"
    parts = {"count": [f"{long}{_known(shown)}", long, f"{title} {short}", short]}
    if isinstance(shown, Judged):
        parts |= _judged(shown, confidence, so_far=" so far")
    parts["time"] = [f"{_clock(elapsed)} elapsed"] if left is None else [f"{_clock(left)} left", _clock(left)]
    # Last of all goes the count, of which a form is always left.
    details = ("count", "cost", "errors", "rate", "count", "speed", "rate", "count", "rate")
    return Line(parts, (*details, "time", "errors", "rate", "time"))


def totals_line(title: str, shown: Snapshot, *, elapsed: float, confidence: float | None) -> Line:
    """A stage that is over, or was broken off."""
    amount = f"{shown.total:,}" if shown.done == shown.total else f"{shown.done:,} of {shown.total:,}"
    what, took = _what(shown), f" in {elapsed:,.1f} s"
    parts = {
        "count": [
            f"{title}: {amount} {what}{_known(shown)}{took}",
            f"{title}: {amount} {what}{took}",
            f"{title}: {amount} {what}",
            f"{title}: {amount}",
        ]
    }
    if isinstance(shown, Judged):
        parts |= _judged(shown, confidence, so_far="")
        if shown.unscored:
            parts["unscored"] = [f"{shown.unscored:,} unscored"]
    details = ("speed", "cost", "errors", "rate", "errors", "rate", "count", "count", "count", "rate", "rate")
    return Line(parts, (*details, "unscored"))


def _what(shown: Snapshot) -> str:
    return "samples" if isinstance(shown, Predicted) else "pairs"


def _known(shown: Snapshot) -> str:
    """What of it was no work."""
    if not shown.known:
        return ""
    amount = "all" if shown.known == shown.total else f"{shown.known:,}"
    return f" ({amount} {'known' if isinstance(shown, Predicted) else 'stored'})"


def _judged(shown: Judged, confidence: float | None, *, so_far: str) -> dict[str, list[str]]:
    parts = {}
    if shown.scored and confidence is not None:
        parts["rate"] = _rate(shown.passed, shown.scored, confidence, so_far)
    if shown.latency is not None:
        parts["speed"] = [f"{_latency(shown.latency)}/call"]
    if shown.errors:
        word = "error" if shown.errors == 1 else "errors"
        parts["errors"] = [f"{shown.errors:,} judge {word}", f"{shown.errors:,} {word}"]
    if shown.cost is not None:
        parts["cost"] = [f"cost {shown.cost:,.2f}" if shown.cost >= 1 else f"cost {shown.cost:.2g}"]
    return parts


def _rate(passed: int, scored: int, confidence: float, so_far: str) -> list[str]:
    # Takes half a second to import, for which `python -m evals` need not wait.
    from evals.statistics import wilson

    rate = f"{passed / scored:.1%}"
    low, high = wilson(passed, scored, confidence=confidence)
    return [
        f"{rate} pass{so_far} ({low:.1%} to {high:.1%})",
        f"{rate} pass{so_far} ({low * 100:.1f}-{high:.1%})",
        f"{rate} pass{so_far}",
        f"{rate}{so_far or ' pass'}",
    ]


def _latency(seconds: float) -> str:
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
