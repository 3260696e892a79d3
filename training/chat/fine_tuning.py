"""Fine-tuning on conversations, with trl's SFTTrainer."""

from __future__ import annotations

from functools import partial

from trl import SFTConfig

from fixtures.conversations.faults import counted
from training.causal import fine_tuning
from training.causal.fine_tuning import Trained, arguments_for, plan_for, planned_in_words
from training.causal.trainer import RowTrainer, as_dataset
from training.chat.task import Task
from training.tracking.session import Tracking

__all__ = ["fine_tune"]


def fine_tune(task: Task, tracking: Tracking | None = None) -> Trained:
    """Train as the settings say, from the newest checkpoint of this very training if there is one."""
    settings, data = task.settings, task.data
    rows = as_dataset(data.train.rows, pack_to=task.max_length if settings.packing else None)
    plan = plan_for(task, len(rows))
    packed = f", packed into {counted(len(rows), 'row')} of up to {task.max_length:,} tokens"
    what = (
        f"{len(data.train.rows):,} conversations to learn{packed if settings.packing else ''}, "
        f"{len(data.validation.rows):,} to choose on"
    )
    task.console.print(planned_in_words(task, plan, what))
    return fine_tuning.fine_tune(
        task,
        plan,
        # Rows come tokenized, cut, labelled and packed.
        arguments_for(task, SFTConfig, plan, packing=settings.packing, dataset_kwargs={"skip_prepare_dataset": True}),
        partial(RowTrainer, train_dataset=rows, validation=data.validation.rows),
        identity={
            "conversations": [file.digest for file in task.sources.files],
            "chat_template": task.template.saved,
        },
        tracking=tracking,
    )
