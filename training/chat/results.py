"""What a finished chat training says of itself: metrics beside those of the start, the manifest, a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from fixtures.contracts.manifest import Manifest, library_versions
from training.chat.task import LIBRARIES, Task

__all__ = ["manifest_of", "metrics_of", "summarize"]


def metrics_of(task: Task, history: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Loss, perplexity and token accuracy on the validation part, before the training and at its best checkpoint."""
    points = [point for point in history["curves"] if "validation_loss" in point]
    best = next(point for point in points if point["step"] == history["best_step"])
    return {
        "schema_version": 1,
        "task": "chat",
        "validation": {"model": _figures(best, task), "before": _figures(points[0], task)},
        "training": history | {"seconds": round(seconds, 1)},
    }


def _figures(point: dict[str, Any], task: Task) -> dict[str, Any]:
    loss = point["validation_loss"]
    return {
        "conversations": len(task.data.validation.rows),
        "tokens": task.data.validation.learned,
        "loss": loss,
        # Beyond this, it is no number that JSON or people can use.
        "perplexity": math.exp(loss) if loss < 100 else None,
        "accuracy": point["validation_accuracy"],
    }


def manifest_of(task: Task, metrics: dict[str, Any]) -> Manifest:
    """The manifest, still without the digests of the files."""
    data, files = task.data, task.sources.files
    parts = dict(zip(("train", "validation"), (files[0], files[-1]), strict=True))
    return Manifest(
        task="chat",
        base_model=task.base.name,
        base_revision=task.base.revision or task.base.digest,
        prompt_template=task.template.saved,
        max_length=task.max_length,
        dataset={
            "name": ", ".join(file.path.name for file in files),
            "digests": {name: file.digest for name, file in parts.items()},
            "counts": {"train": len(data.train.rows), "validation": len(data.validation.rows)},
            "dropped": {"train": data.train.dropped, "validation": data.validation.dropped},
            "tokens_cut": {"train": data.train.tokens_lost, "validation": data.validation.tokens_lost},
        },
        settings=task.settings.recorded(),
        seed=task.settings.seed,
        versions=library_versions(*LIBRARIES),
        metrics=metrics,
    )


def summarize(task: Task, metrics: dict[str, Any], folders: Sequence[Path]) -> None:
    """Show the figures that matter, and where everything is."""
    before, after = metrics["validation"]["before"], metrics["validation"]["model"]
    table = Table(title=f"{task.base.name} on {after['conversations']:,} conversations it has not seen")
    for heading in ("", "loss per token", "perplexity", "tokens guessed right"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, row in (("before", before), (f"at step {metrics['training']['best_step']:,}", after)):
        perplexity = f"{row['perplexity']:,.1f}" if row["perplexity"] else "-"
        table.add_row(name, f"{row['loss']:.4f}", perplexity, f"{row['accuracy']:.1%}")
    task.console.print(table)
    if after["loss"] >= before["loss"]:
        task.console.print("warning: the validation loss is not below that of the start: nothing useful was learned")
    for name in ("metrics.json", "curves.png", "curves.csv", "logs"):
        if (task.settings.save_to / name).exists():
            task.console.print(f"{name:<13} {task.settings.save_to / name}")
    for folder in folders:
        task.console.print(f"{folder.name:<13} {folder}")
