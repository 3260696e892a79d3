"""What the stages before the first test show, in terminals and in logs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import Progress

__all__ = ["TerminalDisplay"]

LOG_SECONDS = 15
"""In a log without a cursor, a line this often is a sign of life and no flood."""


class TerminalDisplay:
    """Lines by ``write_line``, and bars on ``console`` if it is a terminal."""

    def __init__(self, write_line: Callable[[str], Any], console: Console | None) -> None:
        self._write_line = write_line
        self._console = console
        self._bar: Progress | None = None

    def say(self, line: str) -> None:
        """Show a line."""
        self._write_line(f"evals: {line}")

    def stage(self, title: str, total: int) -> Callable[[int], Any]:
        """A callback for finished steps of a stage: a bar, or a line now and then."""
        started = last = time.monotonic()
        done = 0
        bar = Progress(console=self._console, transient=True) if self._console is not None else None
        task = bar.add_task(title, total=total) if bar is not None else None
        if bar is not None:
            bar.start()
        self._bar = bar

        def advance(steps: int) -> None:
            nonlocal done, last
            done += steps
            now = time.monotonic()
            if bar is not None and task is not None:
                bar.update(task, completed=done)
            if done >= total:
                self.close()
                self.say(f"{title}: {done} in {now - started:.1f} s")
            elif bar is None and now - last >= LOG_SECONDS:
                last = now
                self.say(f"{title}: {done} of {total}")

        return advance

    def close(self) -> None:
        """Take down a bar that a failure left standing."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
