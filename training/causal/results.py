"""What a finished training says of itself: figures beside those of the start, the manifest, where everything is."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from fixtures.contracts.files import write_json
from fixtures.contracts.manifest import Manifest, library_versions, write_manifest
from training.causal.task import LIBRARIES, CausalTask
from training.tracking.session import Tracking

__all__ = ["before_and_best", "perplexity", "publish", "tell_where"]


def before_and_best(history: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The points of the curves that were measured before the training and at its best checkpoint."""
    points = [point for point in history["curves"] if "validation_loss" in point]
    return points[0], next(point for point in points if point["step"] == history["best_step"])


def perplexity(loss: float) -> float | None:
    """Of a loss per token; None beyond what is a number that JSON or people can use."""
    return math.exp(loss) if loss < 100 else None


def publish(
    task: CausalTask,
    folders: Sequence[Path],
    *,
    kind: Literal["chat", "text-generation"],
    prompt_template: str,
    dataset: dict[str, Any],
    metrics: dict[str, Any],
    tracking: Tracking | None = None,
) -> None:
    """Write the metrics, and last of all the manifests; checkpoints are no longer needed then."""
    write_json(task.settings.save_to / "metrics.json", metrics)
    manifest = Manifest(
        task=kind,
        base_model=task.base.name,
        base_revision=task.base.revision or task.base.digest,
        prompt_template=prompt_template,
        max_length=task.max_length,
        dataset=dataset,
        settings=task.settings.recorded(),
        seed=task.settings.seed,
        versions=library_versions(*LIBRARIES),
        metrics=metrics,
    )
    for folder in folders:
        write_manifest(folder, manifest)
    if tracking:
        tracking.finish(kind, task.settings.recorded(), metrics, folders)
    shutil.rmtree(task.settings.save_to / "checkpoints", ignore_errors=True)


def tell_where(task: CausalTask, folders: Sequence[Path]) -> None:
    """Print where everything is."""
    for name in ("metrics.json", "curves.png", "curves.csv", "logs"):
        if (task.settings.save_to / name).exists():
            task.console.print(f"{name:<13} {task.settings.save_to / name}")
    for folder in folders:
        task.console.print(f"{folder.name:<13} {folder}")
