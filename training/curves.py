"""Learning curves, as numbers and as a picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fixtures.contracts.files import write_atomic
from training.batching import BatchPlan

__all__ = ["write_curves"]

_COLUMNS = {
    "loss": "train_loss",
    "learning_rate": "learning_rate",
    "grad_norm": "gradient_norm",
    "eval_loss": "validation_loss",
    "eval_accuracy": "validation_accuracy",
    "eval_macro_f1": "validation_macro_f1",
}


def write_curves(folder: Path, history: Sequence[dict[str, Any]], plan: BatchPlan) -> list[Path]:
    """Write ``curves.csv`` and, where matplotlib is installed, ``curves.png``; returns what was written."""
    rows: dict[int, dict[str, Any]] = {}
    for entry in history:
        row = rows.setdefault(entry["step"], {"step": entry["step"], "epoch": round(plan.epoch_at(entry["step"]), 4)})
        row |= {_COLUMNS[key]: value for key, value in entry.items() if key in _COLUMNS}
    ordered = [rows[step] for step in sorted(rows) if len(rows[step]) > 2]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, ["step", "epoch", *_COLUMNS.values()], lineterminator="\n")
    writer.writeheader()
    writer.writerows(ordered)
    table = folder / "curves.csv"
    write_atomic(table, buffer.getvalue())
    picture = _picture(ordered)
    if picture is None:
        return [table]
    write_atomic(folder / "curves.png", picture)
    return [table, folder / "curves.png"]


def _picture(rows: Sequence[dict[str, Any]]) -> bytes | None:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return None
    # Figure, not pyplot: no window system is looked for, nothing global is left behind.
    figure = Figure(figsize=(10, 4), layout="constrained")
    losses, scores = figure.subplots(1, 2)
    lines = (
        (losses, "train_loss", "training"),
        (losses, "validation_loss", "validation"),
        (scores, "validation_accuracy", "accuracy"),
        (scores, "validation_macro_f1", "macro F1"),
    )
    for axes, column, label in lines:
        points = [(row["step"], row[column]) for row in rows if column in row]
        if points:
            axes.plot(*zip(*points, strict=True), marker="." if len(points) < 30 else "", label=label)
    for axes, title in ((losses, "loss"), (scores, "on the validation documents")):
        axes.set(title=title, xlabel="step")
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()
