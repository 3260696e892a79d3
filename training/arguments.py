"""transformers' TrainingArguments for a training that follows a plan."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TypeVar

import torch
from transformers import TrainingArguments

__all__ = ["planned_arguments"]

Arguments = TypeVar("Arguments", bound=TrainingArguments)


def planned_arguments(
    kind: type[Arguments],
    *,
    save_to: Path,
    steps: int,
    device: torch.device,
    autocast: torch.dtype | None,
    seed: int,
    **others: Any,
) -> Arguments:
    """Arguments of ``kind`` for ``steps`` optimisation steps, with ``others`` as they are.

    Checkpoints go to ``save_to/checkpoints``. The best one is that of the
    lowest validation loss.
    """
    # What is done when is decided by our milestones; intervals that never come keep Trainer's own quiet.
    never = 10**9
    arguments: Arguments = kind(
        output_dir=str(save_to / "checkpoints"),
        max_steps=steps,
        seed=seed,
        data_seed=seed,
        use_cpu=device.type == "cpu",
        bf16=autocast is torch.bfloat16,
        fp16=autocast is torch.float16,
        logging_strategy="no",
        logging_nan_inf_filter=False,
        eval_strategy="steps",
        eval_steps=never,
        save_strategy="steps",
        save_steps=never,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        remove_unused_columns=False,
        disable_tqdm=True,
        # `training.tracking` reports, by one set of names.
        report_to=[],
        ddp_backend="gloo" if device.type == "cpu" and "WORLD_SIZE" in os.environ else None,
        **others,
    )
    # Several visible GPUs without torchrun: Trainer would fall back to DataParallel, which is slow and wrong here.
    arguments._n_gpu = min(arguments.n_gpu, 1)
    return arguments
