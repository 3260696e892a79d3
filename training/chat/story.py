"""Fine-tune a language model on conversations: the story of ``python -m training chat``.

conversations, every fault told at once → base model and chat template → token
ids, with what the assistant says marked → training, best checkpoint by
validation loss → adapter, or one plain model → saved, loaded again elsewhere,
compared → manifest, last of all
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from rich.console import Console
from transformers.utils import logging as transformers_logging

from fixtures.contracts.files import write_json
from fixtures.contracts.manifest import write_manifest
from training.chat.fine_tuning import fine_tune
from training.chat.results import manifest_of, metrics_of, summarize
from training.chat.saving import save
from training.chat.settings import ChatSettings
from training.chat.task import understand
from training.place import make_folder, refuse_own_output_as_base, withdraw
from training.processes import is_main_process

__all__ = ["chat"]


def chat(settings: ChatSettings, console: Console) -> list[Path]:
    """Train, check, measure and save; returns the folders of what was saved, none with ``check_only``.

    Raises UserError for what the user can mend, TrainingFailed when the model
    did not come out right. There is no manifest then.
    """
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    started = time.monotonic()
    if settings.check_only:
        understand(settings, console)
        return []
    for name in ("model", "adapter"):
        refuse_own_output_as_base(settings.base_model, settings.save_to / name)
    make_folder(settings.save_to)
    withdraw(settings.save_to)

    task = understand(settings, console)
    trained = fine_tune(task)
    if not is_main_process():
        return []

    folders = save(trained, task)
    metrics = metrics_of(task, trained.history, time.monotonic() - started)
    write_json(settings.save_to / "metrics.json", metrics)
    for folder in folders:
        write_manifest(folder, manifest_of(task, metrics))
    shutil.rmtree(settings.save_to / "checkpoints", ignore_errors=True)
    summarize(task, metrics, folders)
    return folders
