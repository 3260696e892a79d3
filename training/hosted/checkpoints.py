"""A job's checkpoints: each is a model that answers, and the last is not always the best."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from fixtures.contracts.errors import UserError
from fixtures.contracts.files import write_json
from training.diagnosis import Best, best_checkpoint, curves_of, read_log
from training.hosted.api import explained

if TYPE_CHECKING:
    from openai import OpenAI

__all__ = ["checkpoints_of", "keep_checkpoints"]

CHECKPOINTS = "checkpoints.json"
_SHOWN = ("train_loss", "valid_loss", "full_valid_loss", "full_valid_mean_token_accuracy")


def checkpoints_of(api: OpenAI, job: str) -> list[dict[str, Any]]:
    """The checkpoints as the API has them, by step; empty where the service knows of none."""
    from openai import NotFoundError

    with explained(f"cannot read the checkpoints of {job}"):
        try:
            found = list(api.fine_tuning.jobs.checkpoints.list(job, limit=100))
        except NotFoundError:
            return []
    # A page that moved may have shown one twice.
    rows = {entry.id: entry.model_dump(mode="json", exclude_none=True) for entry in found}
    return sorted(rows.values(), key=lambda row: row["step_number"])


def keep_checkpoints(rows: list[dict[str, Any]], folder: Path, console: Console) -> None:
    """Write ``checkpoints.json`` and print the checkpoints, the best of them named."""
    if not rows:
        console.print("checkpoints: the service names none; the model is that of the last step")
        return
    write_json(folder / CHECKPOINTS, rows)
    best = _best(folder / CHECKPOINTS)
    table = Table(title="checkpoints", box=SIMPLE_HEAD)
    for heading in ("step", *(name.replace("_", " ") for name in _SHOWN), ""):
        table.add_column(heading, justify="right" if heading else "left")
    for row in rows:
        metrics = row.get("metrics") or {}
        figures = [f"{metrics[name]:.4f}" if metrics.get(name) is not None else "" for name in _SHOWN]
        chosen = "best" if best and best.step == row["step_number"] else ""
        table.add_row(str(row["step_number"]), *figures, chosen)
    console.print(table)
    for row in rows:
        # Not in the table, which would break the names.
        console.print(f"step {row['step_number']}: {row['fine_tuned_model_checkpoint']}", markup=False)
    if best is None:
        console.print("best checkpoint: none can be named without a validation loss; give an --eval-file")
        return
    model = next(row["fine_tuned_model_checkpoint"] for row in rows if row["step_number"] == best.step)
    console.print(
        f"best checkpoint: step {best.step:g}, {best.heading} {best.value:.4g}, the lowest of those kept: {model}",
        markup=False,
    )


def _best(file: Path) -> Best | None:
    try:
        return best_checkpoint(curves_of(read_log(file)))
    except UserError:
        # No figures at all.
        return None
