"""What the stages before the first test show, in terminals and in logs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rich.console import Console

from evals.progress.snapshots import Judged, Predicted
from evals.progress.stage import PREFIX, Stage

__all__ = ["TerminalDisplay"]


class TerminalDisplay:
    """Lines by ``write_line``, and live ones on ``console`` if that is a terminal that can redraw.

    ``confidence`` is that of the pass rate's interval; without it no pass rate
    is shown. ``quiet`` shows no stages.
    """

    def __init__(
        self,
        write_line: Callable[[str], Any],
        console: Console | None,
        *,
        confidence: float | None = None,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write_line = write_line
        self._console = console if console is not None and console.is_interactive else None
        self._confidence = confidence
        self._quiet = quiet
        self._clock = clock
        self._running: Stage | None = None

    def say(self, line: str) -> None:
        """Show a line, also while a stage runs."""
        if self._running is not None:
            self._running.take_down()
        self._write_line(PREFIX + line)

    def predicting(self, total: int) -> Callable[[int], Any]:
        """A stage of ``total`` samples; what it returns is told of finished ones, first of those that need no work."""
        stage = self._open("predicting")
        shown: Predicted | None = None

        def advance(steps: int) -> None:
            nonlocal shown
            if shown is None:
                shown = Predicted(total, steps, known=steps)
            else:
                loading = shown.done == shown.known
                shown = replace(shown, done=shown.done + steps)
                if loading:
                    # All the time until the first batch tells nothing of the next ones.
                    stage.pace_from(shown.done)
            stage.show(shown)

        return advance

    def stage(self, title: str, total: int) -> Callable[[Judged], Any]:
        """See `evals.judging.Stage`."""
        return self._open(title).show

    def _open(self, title: str) -> Stage:
        self.close()
        say = (lambda line: None) if self._quiet else self.say
        console = None if self._quiet else self._console
        self._running = Stage(title, say, console, confidence=self._confidence, clock=self._clock)
        return self._running

    def close(self) -> None:
        """Take down a stage that a failure, or Ctrl-C, broke off, if there is one."""
        if self._running is not None:
            self._running.break_off()
            self._running = None
