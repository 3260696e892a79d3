"""Fine-tune a language model on conversations: the story of ``python -m training chat``.

conversations, every fault told at once → base model and chat template → token
ids, with what the assistant says marked → training, best checkpoint by
validation loss → adapter, or one plain model → saved, loaded again elsewhere,
compared → manifest, last of all
"""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console

from fixtures.conversations.files import Conversation
from training.causal.beginning import begin
from training.causal.results import publish
from training.causal.saving import PROBES, Probe, save
from training.chat.fine_tuning import fine_tune
from training.chat.results import dataset_of, metrics_of, summarize
from training.chat.settings import ChatSettings
from training.chat.task import Task, understand
from training.processes import is_main_process
from training.tracking.session import Tracking

__all__ = ["chat"]


def chat(settings: ChatSettings, console: Console, tracking: Tracking | None = None) -> list[Path]:
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
    trained = fine_tune(task, tracking)
    if not is_main_process():
        return []

    folders = save(trained, task, [_probe(one, task) for one in task.sources.validation[:PROBES]])
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


def _probe(conversation: Conversation, task: Task) -> Probe:
    """A conversation up to where the assistant speaks first."""
    roles = [turn["role"] for turn in conversation.messages]
    messages = conversation.messages[: roles.index("assistant")]
    text = task.template.text(messages, conversation.tools, prompt=True)
    ids = task.base.tokenizer(text, add_special_tokens=False)["input_ids"]
    return Probe(ids, {"conversation": messages, "tools": conversation.tools})
