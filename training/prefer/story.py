"""Tune a chat model by preferences: the story of ``python -m training prefer``.

pairs, every fault told at once → base model and chat template → token ids →
what the base model says of all answers → training, best checkpoint by
validation loss → adapter, or one plain model → saved, loaded again elsewhere,
compared → manifest, last of all
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from rich.console import Console
from trl import DPOConfig

from fixtures.conversations.faults import counted
from training.causal.beginning import begin
from training.causal.fine_tuning import Trained, arguments_for, fine_tune, plan_for, planned_in_words
from training.causal.results import publish
from training.causal.saving import PROBES, Probe, save
from training.prefer.pairs import Pair
from training.prefer.results import dataset_of, metrics_of, summarize
from training.prefer.settings import PreferSettings
from training.prefer.task import Task, understand
from training.prefer.trainer import PreferenceTrainer
from training.processes import is_main_process
from training.tracking.session import Tracking

__all__ = ["learn", "prefer"]


def prefer(settings: PreferSettings, console: Console, tracking: Tracking | None = None) -> list[Path]:
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

    folders = save(trained, task, [_probe(pair, task) for pair in task.sources.validation[:PROBES]])
    metrics = metrics_of(task, trained.history, time.monotonic() - started)
    template = task.template.saved
    publish(
        task,
        folders,
        kind="chat",
        prompt_template=template,
        dataset=dataset_of(task),
        metrics=metrics,
        tracking=tracking,
    )
    summarize(task, metrics, folders)
    return folders


def learn(task: Task, tracking: Tracking | None = None) -> Trained:
    """Train as the settings say, from the newest checkpoint of this very training if there is one."""
    settings = task.settings
    plan = plan_for(task, len(task.train.rows))
    what = f"{counted(len(task.train.rows), 'pair')} to learn, {len(task.validation.rows):,} to choose on"
    task.console.print(planned_in_words(task, plan, what))
    arguments = arguments_for(
        task,
        DPOConfig,
        plan,
        beta=settings.beta,
        # Noise in probabilities that are compared is no help, unless it is asked for.
        disable_dropout=settings.lora_dropout == 0,
        precompute_ref_log_probs=True,
    )
    return fine_tune(
        task,
        plan,
        arguments,
        partial(PreferenceTrainer, train=task.train.rows, validation=task.validation.rows),
        identity={
            "pairs": [file.digest for file in task.sources.files],
            "chat_template": task.template.saved,
        },
        tracking=tracking,
    )


def _probe(pair: Pair, task: Task) -> Probe:
    text = task.template.text(pair.prompt, pair.tools, prompt=True)
    ids = task.base.tokenizer(text, add_special_tokens=False)["input_ids"]
    return Probe(ids, {"conversation": pair.prompt, "tools": pair.tools})
