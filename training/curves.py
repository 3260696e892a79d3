"""Learning curves, as numbers and as a picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fixtures.contracts.files import write_atomic
from training.batching import BatchPlan

__all__ = ["curve_points", "write_curves"]

# Their names are part of the manifest, too: reports draw `metrics.training.curves`.
# Accuracy is of documents where a classifier learns, of tokens where a language model does, and of pairs where
# preferences are learned: there, trl logs that of tokens as well, and the later line here wins.
_COLUMNS = {
    "loss": "train_loss",
    "mean_token_accuracy": "train_accuracy",
    "learning_rate": "learning_rate",
    "grad_norm": "gradient_norm",
    "eval_loss": "validation_loss",
    "eval_accuracy": "validation_accuracy",
    "eval_mean_token_accuracy": "validation_accuracy",
    "eval_macro_f1": "validation_macro_f1",
    "rewards/accuracies": "train_accuracy",
    "rewards/margins": "train_margin",
    "logps/chosen": "train_chosen_logp",
    "logps/rejected": "train_rejected_logp",
    "eval_rewards/margins": "validation_margin",
    "eval_logps/chosen": "validation_chosen_logp",
    "eval_logps/rejected": "validation_rejected_logp",
}


def curve_points(history: Sequence[dict[str, Any]], plan: BatchPlan) -> list[dict[str, Any]]:
    """What was measured at each step, from Trainer's log; a point lacks what was not measured there."""
    rows: dict[int, dict[str, Any]] = {}
    for entry in history:
        row = rows.setdefault(entry["step"], {"step": entry["step"], "epoch": round(plan.epoch_at(entry["step"]), 4)})
        row |= {column: entry[key] for key, column in _COLUMNS.items() if key in entry}
    return [rows[step] for step in sorted(rows) if len(rows[step]) > 2]


def write_curves(folder: Path, points: Sequence[dict[str, Any]]) -> None:
    """Write ``curves.csv`` and, where matplotlib is installed, ``curves.png``."""
    buffer = io.StringIO()
    columns = [column for column in dict.fromkeys(_COLUMNS.values()) if any(column in point for point in points)]
    writer = csv.DictWriter(buffer, ["step", "epoch", *columns], lineterminator="\n")
    writer.writeheader()
    writer.writerows(points)
    write_atomic(folder / "curves.csv", buffer.getvalue())
    picture = _picture(points)
    if picture is not None:
        write_atomic(folder / "curves.png", picture)


def _picture(rows: Sequence[dict[str, Any]]) -> bytes | None:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return None
    # Figure, not pyplot: no window system is looked for, nothing global is left behind.
    preferences = any("validation_chosen_logp" in row for row in rows)
    figure = Figure(figsize=(15 if preferences else 10, 4), layout="constrained")
    losses, scores, *more = figure.subplots(1, 3 if preferences else 2)
    lines = [
        (losses, "train_loss", "training"),
        (losses, "validation_loss", "validation"),
        (scores, "train_accuracy", "accuracy in training"),
        (scores, "validation_accuracy", "accuracy"),
        (scores, "validation_macro_f1", "macro F1"),
    ]
    for answers in more:
        answers.set(title="log-probability of an answer", xlabel="step")
        lines += [(answers, f"validation_{which}_logp", which) for which in ("chosen", "rejected")]
    for axes, column, label in lines:
        points = [(row["step"], row[column]) for row in rows if column in row]
        if points:
            axes.plot(*zip(*points, strict=True), marker="." if len(points) < 30 else "", label=label)
    losses.set(title="loss", xlabel="step")
    scores.set(title="on the validation part", xlabel="step")
    for axes in (losses, scores, *more):
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()
