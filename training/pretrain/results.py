"""What continued pretraining says of itself: figures beside those of the start, what it learned from, a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from fixtures.conversations.faults import counted
from training.causal.results import before_and_best, perplexity, tell_where
from training.pretrain.data import digest_of
from training.pretrain.task import Task

__all__ = ["dataset_of", "metrics_of", "summarize"]


def metrics_of(task: Task, history: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Figures on the validation part, before the training and at its best checkpoint."""
    before, best = before_and_best(history)
    return {
        "schema_version": 1,
        "task": "text-generation",
        "validation": {"model": _figures(best, task), "before": _figures(before, task)},
        "training": history | {"seconds": round(seconds, 1)},
    }


def _figures(point: dict[str, Any], task: Task) -> dict[str, Any]:
    loss, tokens, size = point["validation_loss"], task.validation.learned, task.validation.size
    return {
        "documents": len(task.validation.documents),
        "tokens": tokens,
        "bytes": size,
        "loss": loss,
        "perplexity": perplexity(loss),
        # Of the whole text, whatever it was parted into: comparable between tokenizers, as a loss per token is not.
        "bits_per_byte": loss * tokens / math.log(2) / size,
        "accuracy": point["validation_accuracy"],
    }


def dataset_of(task: Task) -> dict[str, Any]:
    """The documents, as the manifest names them."""
    parts = {"train": task.train, "validation": task.validation}
    return {
        "name": ", ".join(Path(name).name for name in (*task.settings.train_files, *task.settings.eval_files)),
        "digests": {name: digest_of(part.documents) for name, part in parts.items()},
        "counts": {name: len(part.documents) for name, part in parts.items()},
        "tokens": {name: part.learned for name, part in parts.items()},
        "bytes": {name: part.size for name, part in parts.items()},
    }


def summarize(task: Task, metrics: dict[str, Any], folders: Sequence[Path]) -> None:
    """Show the figures that matter, and where everything is."""
    before, after = metrics["validation"]["before"], metrics["validation"]["model"]
    table = Table(title=f"{task.base.name} on {counted(after['documents'], 'document')} it has not seen")
    for heading in ("", "loss per token", "perplexity", "bits per byte", "tokens guessed right"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, row in (("before", before), (f"at step {metrics['training']['best_step']:,}", after)):
        perplexed = f"{row['perplexity']:,.1f}" if row["perplexity"] else "-"
        bits = f"{row['bits_per_byte']:.3f}"
        table.add_row(name, f"{row['loss']:.4f}", perplexed, bits, f"{row['accuracy']:.1%}")
    task.console.print(table)
    if after["loss"] >= before["loss"]:
        task.console.print("warning: the validation loss is not below that of the start: nothing useful was learned")
    tell_where(task, folders)
