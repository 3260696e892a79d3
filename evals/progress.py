"""Progress of the stages before the first test, in terminals and in logs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import Progress

__all__ = ["open_stage"]

LOG_SECONDS = 15
"""In a log without a cursor, a line this often is a sign of life and no flood."""


def open_stage(
    write_line: Callable[[str], Any], console: Console | None, title: str, total: int
) -> Callable[[int], Any]:
    """A callback for finished steps: a bar on ``console``, else lines by ``write_line``."""
    started = time.monotonic()
    done = 0
    last = started
    bar = Progress(console=console, transient=True) if console is not None else None
    task = bar.add_task(title, total=total) if bar is not None else None
    if bar is not None:
        bar.start()

    def advance(steps: int) -> None:
        nonlocal done, last
        done += steps
        now = time.monotonic()
        if bar is not None and task is not None:
            bar.update(task, completed=done)
        if done >= total:
            if bar is not None:
                bar.stop()
            write_line(f"evals: {title}: {done} in {now - started:.1f} s")
        elif bar is None and now - last >= LOG_SECONDS:
            last = now
            write_line(f"evals: {title}: {done} of {total}")

    return advance
