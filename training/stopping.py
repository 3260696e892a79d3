"""Stopping between two optimisation steps, not within one.

An interruption in the middle of a step would cost all steps since the last
checkpoint. So the first one is a request: the step is finished and saved, and
then the training is interrupted. Who insists, or does not get an answer in
time, interrupts at once.

Trainer's own answer to SIGTERM (``enable_jit_checkpoint``) ends in a training
that looks finished, and may save between gradients and their application.
"""

from __future__ import annotations

import _thread
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from fixtures.contracts.termination import handling

__all__ = ["PATIENCE", "Stopping"]

PATIENCE = 20.0
"""Seconds that a step with its evaluation may take once we were asked to stop: Kubernetes kills after 30."""


class Stopping(TrainerCallback):
    """Turns an interruption into a checkpoint, and then into an interruption again."""

    def __init__(self) -> None:
        self._requested = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Around the training. Raises KeyboardInterrupt at the end if nobody has stopped by then."""
        self._timer = threading.Timer(PATIENCE, _thread.interrupt_main)
        self._timer.daemon = True
        with handling(signal.SIGINT, self._request):
            try:
                yield
            finally:
                self._timer.cancel()
        if self._requested:
            raise KeyboardInterrupt

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self._requested:
            raise KeyboardInterrupt
        self._requested = True
        # Not by way of a stream, which this may have interrupted.
        os.write(2, b"stopping after this step, with a checkpoint; once more to stop at once\n")
        self._timer.start()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """Have the step saved, and its loss logged: the logged loss is a mean since the last entry."""
        if self._requested:
            control.should_log = control.should_save = True
        return control

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Stop once the checkpoint is complete."""
        if self._requested:
            raise KeyboardInterrupt
