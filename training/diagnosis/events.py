"""TensorBoard's event files, read with TensorBoard's own reader: no torch, no TensorFlow."""

from __future__ import annotations

from pathlib import Path

from fixtures.contracts.errors import UserError
from training.diagnosis.points import Log, Row

__all__ = ["is_events", "read_events"]


def is_events(path: Path) -> bool:
    """Whether ``path`` is named as TensorBoard names its files."""
    return "tfevents" in path.name


def read_events(path: Path) -> Log:
    """The scalars of one event file, or of a folder of them.

    A training that was resumed logs some steps twice; what was written last counts.
    """
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ImportError as error:
        raise UserError(f"{path}: to read TensorBoard's events, pip install tensorboard") from error
    run = EventAccumulator(str(path), size_guidance={"scalars": 0}).Reload()
    tags = sorted(run.Tags()["scalars"])
    scalars = sorted((event.wall_time, event.step, tag, event.value) for tag in tags for event in run.Scalars(tag))
    cells: dict[int, dict[str, object]] = {}
    for _, step, tag, value in scalars:
        cells.setdefault(step, {"step": step})[tag] = value
    if not cells:
        raise UserError(f"{path}: no scalars among TensorBoard's events")
    return Log(str(path), ["step", *tags], [Row(f"step {step}", row) for step, row in sorted(cells.items())])
