"""What a finished training says of itself: metrics beside a baseline, the manifest, a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.table import Table
from transformers import PreTrainedModel

from fixtures.contracts.manifest import Manifest, library_versions
from training.measures import Baseline, measure
from training.task import LIBRARIES, Task

__all__ = ["manifest_of", "measure_beside_baseline", "summarize"]


def measure_beside_baseline(task: Task, model: PreTrainedModel) -> dict[str, Any]:
    """The model and the baseline on the validation and the test documents."""
    corpus = task.corpus
    task.console.print("measuring, and training the baseline on the same documents")
    baseline = Baseline([document.text for document in corpus.train], corpus.targets(corpus.train), len(corpus.labels))
    result: dict[str, Any] = {"schema_version": 1, "labels": corpus.labels, "baseline": baseline.name}
    for part, documents in (("validation", corpus.validation), ("test", corpus.test)):
        if documents is None:
            result[part] = None
            continue
        targets = corpus.targets(documents)
        result[part] = {
            "model": measure(targets, task.logits(model, task.rows(documents))),
            "baseline": baseline.measure([document.text for document in documents], targets),
        }
    return result


def manifest_of(task: Task, metrics: dict[str, Any]) -> Manifest:
    """The manifest, still without the digests of the files."""
    corpus, dataset = task.corpus, task.corpus.dataset
    return Manifest(
        base_model=task.base.name,
        base_revision=task.base.revision or task.base.digest,
        labels=corpus.labels,
        prompt_template=task.settings.prompt_template,
        max_length=task.max_length,
        dataset={
            "name": dataset.name,
            "remove": dataset.remove,
            "digests": {split: dataset.digest(split) for split in dataset.splits},
            "counts": {
                "train": len(corpus.train),
                "validation": len(corpus.validation),
                "test": len(corpus.test or ()),
            },
            "dropped": dataset.dropped,
        },
        settings=task.settings.recorded(),
        seed=task.settings.seed,
        versions=library_versions(*LIBRARIES),
        metrics=metrics,
    )


def summarize(task: Task, metrics: dict[str, Any], folder: Path) -> None:
    """Show the figures that matter, and where everything is."""
    table = Table(title=f"{task.base.name} on {task.corpus.dataset.name}")
    for heading in ("documents", "", "loss", "accuracy", "macro F1"):
        table.add_column(heading, justify="right" if heading in ("loss", "accuracy", "macro F1") else "left")
    for part in ("validation", "test"):
        for who, name in (("model", "this model"), ("baseline", metrics["baseline"])):
            if metrics[part]:
                row = metrics[part][who]
                figures = (f"{row[key]:.3f}" for key in ("loss", "accuracy", "macro_f1"))
                table.add_row(f"{part} ({row['documents']})" if who == "model" else "", name, *figures)
    task.console.print(table)
    for name in ("metrics.json", "curves.png", "curves.csv", "logs"):
        if (task.settings.save_to / name).exists():
            task.console.print(f"{name:<13} {task.settings.save_to / name}")
    task.console.print(f"{'model':<13} {folder}")
