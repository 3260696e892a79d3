"""What preference tuning says of itself: figures beside those of the start, what it learned from, a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from fixtures.conversations.faults import counted
from training.causal.results import before_and_best, tell_where
from training.prefer.task import Task

__all__ = ["dataset_of", "metrics_of", "summarize"]


def metrics_of(task: Task, history: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Figures on the validation part, before the training and at its best checkpoint."""
    before, best = before_and_best(history)
    return {
        "schema_version": 1,
        "task": "chat",
        "method": "dpo",
        "validation": {"model": _figures(best, task), "before": _figures(before, task)},
        "training": history | {"seconds": round(seconds, 1)},
    }


def _figures(point: dict[str, Any], task: Task) -> dict[str, Any]:
    return {
        "pairs": len(task.validation.rows),
        "loss": point["validation_loss"],
        "accuracy": point["validation_accuracy"],
        "margin": point["validation_margin"],
        "chosen_logp": point["validation_chosen_logp"],
        "rejected_logp": point["validation_rejected_logp"],
    }


def dataset_of(task: Task) -> dict[str, Any]:
    """The pairs, as the manifest names them."""
    files, parts = task.sources.files, {"train": task.train, "validation": task.validation}
    return {
        "name": ", ".join(file.path.name for file in files),
        "digests": {name: file.digest for name, file in zip(parts, (files[0], files[-1]), strict=True)},
        "counts": {name: len(part.rows) for name, part in parts.items()},
        "dropped": {name: part.dropped for name, part in parts.items()},
        "tokens_cut": {name: part.tokens_lost for name, part in parts.items()},
    }


def summarize(task: Task, metrics: dict[str, Any], folders: Sequence[Path]) -> None:
    """Show the figures that matter, and where everything is."""
    before, after = metrics["validation"]["before"], metrics["validation"]["model"]
    table = Table(title=f"{task.base.name} on {counted(after['pairs'], 'pair')} it has not seen")
    for heading in ("", "DPO loss", "in the right order", "margin", "log p chosen", "log p rejected"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, row in (("before", before), (f"at step {metrics['training']['best_step']:,}", after)):
        figures = (row["margin"], row["chosen_logp"], row["rejected_logp"])
        margin, chosen, rejected = (f"{figure:.3f}" for figure in figures)
        table.add_row(name, f"{row['loss']:.4f}", f"{row['accuracy']:.1%}", margin, chosen, rejected)
    task.console.print(table)
    if after["loss"] >= before["loss"]:
        task.console.print("warning: the validation loss is not below that of the start: nothing useful was learned")
    if after["chosen_logp"] < before["chosen_logp"]:
        task.console.print(
            f"warning: the better answers have become less probable, too (log-probability {before['chosen_logp']:.2f} "
            f"→ {after['chosen_logp']:.2f}): what the model says instead is neither of the two. Read some answers; a "
            "higher --beta, a lower --learning-rate, or training chat on the better answers first keeps them up"
        )
    tell_where(task, folders)
