"""What a finished chat training says of itself: metrics beside those of the start, what it learned from, a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from fixtures.conversations.faults import counted
from training.causal.results import before_and_best, perplexity, tell_where
from training.chat.task import Task

__all__ = ["dataset_of", "metrics_of", "summarize"]


def metrics_of(task: Task, history: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Loss, perplexity and token accuracy on the validation part, before the training and at its best checkpoint."""
    before, best = before_and_best(history)
    return {
        "schema_version": 1,
        "task": "chat",
        "validation": {"model": _figures(best, task), "before": _figures(before, task)},
        "training": history | {"seconds": round(seconds, 1)},
    }


def _figures(point: dict[str, Any], task: Task) -> dict[str, Any]:
    return {
        "conversations": len(task.data.validation.rows),
        "tokens": task.data.validation.learned,
        "loss": point["validation_loss"],
        "perplexity": perplexity(point["validation_loss"]),
        "accuracy": point["validation_accuracy"],
    }


def dataset_of(task: Task) -> dict[str, Any]:
    """The conversations, as the manifest names them."""
    data, files = task.data, task.sources.files
    parts = dict(zip(("train", "validation"), (files[0], files[-1]), strict=True))
    return {
        "name": ", ".join(file.path.name for file in files),
        "digests": {name: file.digest for name, file in parts.items()},
        "counts": {"train": len(data.train.rows), "validation": len(data.validation.rows)},
        "dropped": {"train": data.train.dropped, "validation": data.validation.dropped},
        "tokens_cut": {"train": data.train.tokens_lost, "validation": data.validation.tokens_lost},
    }


def summarize(task: Task, metrics: dict[str, Any], folders: Sequence[Path]) -> None:
    """Show the figures that matter, and where everything is."""
    before, after = metrics["validation"]["before"], metrics["validation"]["model"]
    table = Table(title=f"{task.base.name} on {counted(after['conversations'], 'conversation')} it has not seen")
    for heading in ("", "loss per token", "perplexity", "tokens guessed right"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, row in (("before", before), (f"at step {metrics['training']['best_step']:,}", after)):
        perplexed = f"{row['perplexity']:,.1f}" if row["perplexity"] else "-"
        table.add_row(name, f"{row['loss']:.4f}", perplexed, f"{row['accuracy']:.1%}")
    task.console.print(table)
    if after["loss"] >= before["loss"]:
        task.console.print("warning: the validation loss is not below that of the start: nothing useful was learned")
    tell_where(task, folders)
