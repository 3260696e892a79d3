"""TensorBoard: event files in a folder, with the settings on its page of hyper-parameters."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.tracking.delivery import Outcome, Result

__all__ = ["TensorBoard"]


class TensorBoard:
    """Event files in ``folder``, after ``resumed_at`` if an interrupted training goes on."""

    name = "TensorBoard"

    def __init__(self, folder: Path, parameters: Mapping[str, Any], resumed_at: int | None) -> None:
        from torch.utils.tensorboard import SummaryWriter
        from torch.utils.tensorboard.summary import hparams

        if resumed_at is None:
            shutil.rmtree(folder, ignore_errors=True)
        self._resumed_at = -1 if resumed_at is None else resumed_at
        self._known: set[tuple[str, int]] = set()
        # TensorBoard forgets what the interrupted run logged after its checkpoint.
        self._writer = SummaryWriter(str(folder), purge_step=None if resumed_at is None else resumed_at + 1)
        # `add_hparams` would put them into a run of their own.
        for summary in hparams(dict(parameters), {"validation_loss": 0.0}):
            self._writer.file_writer.add_summary(summary)

    def point(self, step: int, figures: Mapping[str, float], measured: float) -> None:
        """Scalars of these names."""
        if step <= self._resumed_at:
            return
        for name, value in figures.items():
            if (name, step) not in self._known:
                self._writer.add_scalar(name, value, step, measured)
                self._known.add((name, step))
        # So that a kill loses nothing, and who watches sees it at once.
        self._writer.flush()

    def result(self, result: Result) -> str:
        """Scalars of the final figures, at step 0: they belong to no step."""
        for name, value in result.figures.items():
            self._writer.add_scalar(name, value, 0)
        return ""

    def close(self, outcome: Outcome) -> None:
        """Close the file."""
        self._writer.close()
