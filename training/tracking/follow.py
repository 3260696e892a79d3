"""Trainer's log, told on by the names of ``curves.csv``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transformers import TrainerCallback, TrainerState

from training.batching import BatchPlan
from training.curves import curve_points
from training.tracking.session import Tracking

__all__ = ["Follow", "tell"]


def tell(tracking: Tracking, plan: BatchPlan, history: Sequence[dict[str, Any]]) -> None:
    """Tell ``tracking`` what Trainer logged at steps of ``plan``."""
    for point in curve_points(history, plan):
        tracking.point(point["step"], {name: value for name, value in point.items() if name != "step"})


class Follow(TrainerCallback):
    """Tells ``tracking`` what is logged at the steps of ``plan``."""

    def __init__(self, tracking: Tracking, plan: BatchPlan) -> None:
        self._tracking = tracking
        self._plan = plan

    def on_train_begin(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        """What was logged before an interruption: a tracker may have missed some of it."""
        tell(self._tracking, self._plan, state.log_history)

    def on_log(self, args: Any, state: TrainerState, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """What was just measured."""
        tell(self._tracking, self._plan, [{**(logs or {}), "step": state.global_step}])
