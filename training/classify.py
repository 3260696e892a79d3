"""Fine-tune a text classifier: the story of ``python -m training classify``.

documents → base model → training on batches planned ahead, best checkpoint by
validation loss → one plain model → saved, loaded again elsewhere, compared →
measured beside a baseline → manifest, last of all
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from transformers.utils import logging as transformers_logging

from fixtures.contracts.files import encodable, write_json
from fixtures.contracts.inference import apply_template
from fixtures.contracts.manifest import write_manifest
from training.export import PROBES, save_model
from training.fine_tuning import fine_tune, fit_last_layer
from training.place import refuse_own_output_as_base
from training.processes import is_main_process
from training.reload import check_reloaded
from training.results import manifest_of, measure_beside_baseline, summarize
from training.settings import ClassifySettings
from training.task import understand
from training.tracking.session import Tracking

__all__ = ["classify"]

TOLERANCE = 1e-3
"""Of the largest logit: float32 sums in another order stay a hundred times below."""


def classify(settings: ClassifySettings, console: Console, tracking: Tracking | None = None) -> Path:
    """Train, check, measure and save; returns the model folder. ``tracking`` is told of it.

    Raises UserError for what the user can mend, TrainingFailed when the model
    did not come out right. There is no manifest then.
    """
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    started = time.monotonic()
    folder = settings.save_to / "model"
    refuse_own_output_as_base(settings.base_model, folder)

    task = understand(settings, console)
    trained = fit_last_layer(task, tracking) if settings.method == "head" else fine_tune(task, tracking)
    if not is_main_process():
        return folder

    probes = task.corpus.validation[:PROBES]
    save_model(trained.model, task.base.tokenizer, folder)
    difference = check_reloaded(
        folder,
        [apply_template(settings.prompt_template, encodable(document.text)) for document in probes],
        trained.probe_logits,
        max_length=task.max_length,
        tolerance=TOLERANCE * max(1.0, float(np.abs(trained.probe_logits).max())),
    )
    console.print(f"saved to {folder}; loaded again in a new process, logits differ by {difference:.1g} at most")

    metrics = measure_beside_baseline(task, trained.model)
    metrics["training"] = trained.history | {"seconds": round(time.monotonic() - started, 1)}
    write_json(settings.save_to / "metrics.json", metrics)
    write_manifest(folder, manifest_of(task, metrics))
    if tracking:
        tracking.finish("classify", settings.recorded(), metrics, [folder])
    shutil.rmtree(settings.save_to / "checkpoints", ignore_errors=True)
    summarize(task, metrics, folder)
    return folder
