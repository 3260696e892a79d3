"""One stage: in a terminal a live line that is gone when the stage ends, elsewhere a line now and then.

Both leave one line with the totals.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from evals.progress.snapshots import Snapshot
from evals.progress.words import running_line, totals_line

__all__ = ["PREFIX", "Stage"]

PREFIX = "evals: "
LOG_SECONDS = 15
"""In a log without a cursor, a line this often is a sign of life and no flood."""
REDRAWS_PER_SECOND = 8
WIDTH_WITH_BAR = 72


class Stage:
    """Shows snapshots, live on ``console`` if there is one, or by ``say``."""

    def __init__(
        self,
        title: str,
        say: Callable[[str], Any],
        console: Console | None,
        *,
        confidence: float | None,
        clock: Callable[[], float],
    ) -> None:
        self._title = title
        self._say = say
        self._console = console
        self._confidence = confidence
        self._clock = clock
        self._started = self._told = clock()
        self._pace: tuple[float, int] | None = None
        self._shown: Snapshot | None = None
        self._live: Live | None = None

    def pace_from(self, done: int) -> None:
        """Reckon the time left by what is done from now on."""
        self._pace = self._clock(), done

    def show(self, shown: Snapshot) -> None:
        """How far it is; the last one ends the stage."""
        self._shown = shown
        if self._pace is None:
            self._pace = self._started, shown.done
        if shown.done >= shown.total:
            self._end(self._title)
        elif self._console is None:
            now = self._clock()
            if now - self._told >= LOG_SECONDS:
                self._told = now
                self._say(self._line(shown))
        elif self._live is None:
            # It redraws in a thread of its own, however often it is told something new.
            self._live = Live(
                console=self._console,
                get_renderable=self._drawn,
                refresh_per_second=REDRAWS_PER_SECOND,
                transient=True,
            )
            self._live.start(refresh=True)

    def take_down(self) -> None:
        """Clear the live line away; the next snapshot brings it back."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def break_off(self) -> None:
        """End the stage if it has not ended."""
        self._end(f"{self._title} broken off")

    def _end(self, title: str) -> None:
        self.take_down()
        if self._shown is not None and self._shown.total:
            width = inf if self._console is None else self._console.width - len(PREFIX)
            elapsed = self._clock() - self._started
            self._say(totals_line(title, self._shown, elapsed=elapsed, confidence=self._confidence).fit(width))
        self._shown = None

    def _line(self, shown: Snapshot, width: float = inf) -> str:
        elapsed, left = self._clock() - self._started, self._left(shown)
        return running_line(self._title, shown, elapsed=elapsed, left=left, confidence=self._confidence).fit(width)

    def _left(self, shown: Snapshot) -> float | None:
        """Seconds, if the rest goes as what was done since the pace began."""
        assert self._pace is not None
        since, done = self._pace
        if shown.done <= done:
            return None
        return (self._clock() - since) / (shown.done - done) * (shown.total - shown.done)

    def _drawn(self) -> RenderableType:
        """The live line, with a bar where there is room for both."""
        if self._shown is None or self._console is None:
            return ""
        width = self._console.width
        if width < WIDTH_WITH_BAR:
            return Text(self._line(self._shown, width), no_wrap=True)
        bar = ProgressBar(self._shown.total, self._shown.done, width=width // 10)
        row = Table.grid(padding=(0, 1))
        row.add_row(bar, Text(self._line(self._shown, width - width // 10 - 1), no_wrap=True))
        return row
