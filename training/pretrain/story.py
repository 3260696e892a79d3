"""Go on pretraining a language model on plain text: the story of ``python -m training pretrain``.

documents, every fault told at once → base model → token ids, packed into full
rows in which documents do not see each other → training, best checkpoint by
validation loss → adapter, or one plain model → saved, loaded again elsewhere,
compared → manifest, last of all
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from rich.console import Console
from trl import SFTConfig

from fixtures.conversations.faults import counted
from training.causal.beginning import begin
from training.causal.fine_tuning import Trained, arguments_for, fine_tune, plan_for, planned_in_words
from training.causal.results import publish
from training.causal.saving import PROBES, Probe, save
from training.causal.trainer import RowTrainer, as_dataset
from training.pretrain.data import digest_of
from training.pretrain.results import dataset_of, metrics_of, summarize
from training.pretrain.settings import PretrainSettings
from training.pretrain.task import Task, understand
from training.processes import is_main_process
from training.tracking.session import Tracking

__all__ = ["learn", "pretrain"]

PROBE_CHARACTERS = 500
"""Of a document, what a saved model is to go on with."""


def pretrain(settings: PretrainSettings, console: Console, tracking: Tracking | None = None) -> list[Path]:
    """Train, check, measure and save; returns the folders of what was saved, none with ``check_only``.

    ``tracking`` is told of it.

    Raises UserError for what the user can mend, TrainingFailed when the model
    did not come out right. There is no manifest then.
    """
    started = time.monotonic()
    begin(settings)
    task = understand(settings, console)
    if settings.check_only:
        return []
    trained = learn(task, tracking)
    if not is_main_process():
        return []

    folders = save(trained, task, [_probe(document.text, task) for document in task.validation.documents[:PROBES]])
    metrics = metrics_of(task, trained.history, time.monotonic() - started)
    publish(
        task,
        folders,
        kind="text-generation",
        prompt_template="",
        dataset=dataset_of(task),
        metrics=metrics,
        tracking=tracking,
    )
    summarize(task, metrics, folders)
    return folders


def learn(task: Task, tracking: Tracking | None = None) -> Trained:
    """Train as the settings say, from the newest checkpoint of this very training if there is one."""
    rows = as_dataset(task.train.rows, pack_to=task.max_length)
    plan = plan_for(task, len(rows))
    what = (
        f"{counted(len(task.train.documents), 'document')} to learn, packed into {counted(len(rows), 'row')} of up to "
        f"{task.max_length:,} tokens, {len(task.validation.documents):,} to choose on"
    )
    task.console.print(planned_in_words(task, plan, what))
    return fine_tune(
        task,
        plan,
        # Rows come tokenized, labelled and packed.
        arguments_for(task, SFTConfig, plan, packing=True, dataset_kwargs={"skip_prepare_dataset": True}),
        partial(RowTrainer, train_dataset=rows, validation=task.validation.rows),
        identity={"documents": [digest_of(part.documents) for part in (task.train, task.validation)]},
        tracking=tracking,
    )


def _probe(text: str, task: Task) -> Probe:
    start = text[:PROBE_CHARACTERS]
    return Probe(task.base.tokenizer(start)["input_ids"], {"text": start})
