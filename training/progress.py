"""How far a training is: a bar in a terminal, a line now and then in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from transformers import TrainerCallback, TrainerState

from training.batching import BatchPlan

__all__ = ["ShowProgress"]

SECONDS = 15.0
"""Between two lines of training loss, where there is no terminal."""


class ShowProgress(TrainerCallback):
    """Tells of the steps of ``plan``; ``in_words`` makes a line of an evaluation's figures."""

    def __init__(self, console: Console, plan: BatchPlan, in_words: Callable[[Mapping[str, float]], str]) -> None:
        self._console = console
        self._plan = plan
        self._in_words = in_words
        self._told = time.monotonic()
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("step {task.completed} of {task.total}"),
            TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal,
        )  # fmt: skip
        self._task: TaskID | None = None

    def on_train_begin(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        """Start the bar, where a resumed training is."""
        self._progress.start()
        self._task = self._progress.add_task("training", total=self._plan.steps, completed=state.global_step)

    def on_step_end(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        """Move the bar."""
        if self._task is not None:
            self._progress.update(self._task, completed=state.global_step)

    def close(self) -> None:
        """Take the bar off the terminal."""
        # Where there is no terminal, stopping would print an empty line.
        if self._task is not None and self._console.is_terminal:
            self._progress.stop()

    def on_log(self, args: Any, state: TrainerState, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Say what was measured."""
        place = f"step {state.global_step:>5} of {self._plan.steps}, epoch {self._plan.epoch_at(state.global_step):.2f}"
        if "eval_loss" in logs:
            self._say(f"{place}: {self._in_words(logs)}")
        elif "loss" in logs and time.monotonic() - self._told > SECONDS:
            self._say(f"{place}: training loss {logs['loss']:.4f}")

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False)
        self._told = time.monotonic()
