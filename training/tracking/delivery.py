"""A tracker may fail; the training may not fail with it.

Who asked for a tracker that does not even start is told so before any work. Once
the training runs, a server that is away or a full disk costs the tracker, not the
training: what it should have is kept, in order, and sent when it answers again.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from rich.console import Console

from fixtures.contracts.files import printable

__all__ = ["Delivery", "Outcome", "Result", "Tracker", "without_secrets"]

Outcome = Literal["finished", "failed", "stopped"]

FIRST_PAUSE = 30.0
"""Seconds until a tracker that failed is tried again; doubled each time, up to `LONGEST_PAUSE`."""

LONGEST_PAUSE = 600.0


@dataclass(frozen=True)
class Result:
    """What a training came to."""

    figures: Mapping[str, float]
    """As `metrics.json` has them, a name being the path in it."""
    files: Mapping[str, Path | str] = field(default_factory=dict)
    """Artifacts: where they stand in SAVE_TO → the file, or its text."""
    model: Path | None = None
    """The folder of the finished model, if there is a plain one."""
    task: str = "chat"
    """What the model was trained for, as the manifest says."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of the libraries that the model needs."""


class Tracker(Protocol):
    """One place where a training is followed. All of it may raise whatever the library raises."""

    name: str

    def point(self, step: int, figures: Mapping[str, float], measured: float) -> None:
        """Figures at a step, measured at this time, in seconds since 1970. What it has already is passed over:
        an interrupted run may have told it, or it may have come in with the answer being lost."""

    def result(self, result: Result) -> str:
        """The end of a training that succeeded; returns a remark for people, or nothing."""

    def close(self, outcome: Outcome) -> None:
        """The end, whatever it was."""


class Delivery:
    """Tells a tracker, later if it cannot be told now."""

    def __init__(self, tracker: Tracker, console: Console) -> None:
        self._tracker = tracker
        self._console = console
        self._waiting: deque[tuple[int, Mapping[str, float], float]] = deque()
        self._pause = 0.0
        self._not_before = 0.0
        self.complete = True

    def point(self, step: int, figures: Mapping[str, float], measured: float) -> None:
        """Figures at a step, measured at this time, in seconds since 1970."""
        self._waiting.append((step, figures, measured))
        if time.monotonic() >= self._not_before:
            self._deliver()

    def result(self, result: Result) -> None:
        """What waited, and the end of a training that succeeded."""
        if not self._deliver():
            return
        try:
            remark = self._tracker.result(result)
        except Exception as error:  # each library has its own errors
            self._failed(error)
        else:
            if remark:
                self._say(f"{self._tracker.name}: {remark}")

    def close(self, outcome: Outcome, save_to: Path) -> None:
        """The end, whatever it was. Says so if something is missing there."""
        self._quietly(lambda: self._tracker.close(outcome))
        if outcome == "finished" and not self.complete:
            self._say(
                f"warning: {self._tracker.name} did not get all of this training; "
                f"curves.csv and metrics.json in {save_to} are complete"
            )

    def _deliver(self) -> bool:
        """Tell what waits, in order; whether all of it arrived."""
        try:
            while self._waiting:
                self._tracker.point(*self._waiting[0])
                self._waiting.popleft()
        except Exception as error:  # each library has its own errors
            self._failed(error)
            return False
        if not self.complete:
            self._say(f"{self._tracker.name} answers again, and has everything so far")
        self.complete, self._pause, self._not_before = True, 0.0, 0.0
        return True

    def _failed(self, error: Exception) -> None:
        if self.complete:
            self._say(
                f"warning: {self._tracker.name} failed ({in_a_line(error)}); the training goes on, "
                "and what is missing there is sent when it answers again"
            )
        self.complete = False
        self._pause = min(2 * self._pause, LONGEST_PAUSE) or FIRST_PAUSE
        self._not_before = time.monotonic() + self._pause

    def _quietly(self, action: Callable[[], Any]) -> None:
        try:
            action()
        except Exception as error:  # each library has its own errors
            if self.complete:
                self._say(f"warning: {self._tracker.name} could not be closed: {in_a_line(error)}")
            self.complete = False

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False)


def in_a_line(error: BaseException) -> str:
    """What went wrong, for people."""
    text = without_secrets(str(error)).strip()
    return printable(text.splitlines()[0])[:300] if text else type(error).__name__


def without_secrets(text: str) -> str:
    """``text`` without the name and password that a URL in it may hold."""
    return re.sub(r"://[^/\s]*@", "://***@", text)
