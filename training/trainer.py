"""transformers' Trainer, told which batches to use, how to measure and when to save."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from transformers import (
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from fixtures.contracts.errors import UserError
from training.adapters import check_gradients
from training.batching import BatchPlan
from training.checkpoints import seal
from training.errors import TrainingFailed

__all__ = ["ClassifierTrainer", "Example", "Milestones", "loss_per_document", "padded"]

CHECKPOINT_STEPS = 200
"""Steps between checkpoints when evaluations are further apart: minutes of work, not hours."""

EVALUATIONS = 10
"""Roughly how many evaluations a training of many short epochs gets."""

LONG_EPOCH = 400
"""Steps from which an epoch is also evaluated half-way."""


# Under torchrun without a GPU, Trainer loads the optimizer's state to "cpu:0", which torch knows as "cpu" only.
torch.serialization.register_package(
    0, lambda storage: None, lambda storage, location: storage if location.startswith("cpu:") else None
)


@dataclass(frozen=True, slots=True)
class Example:
    """Token ids and the index of the label."""

    ids: list[int]
    label: int


@dataclass(frozen=True)
class Milestones:
    """The steps at which something is done, decided before the training starts."""

    log: frozenset[int]
    evaluate: frozenset[int]
    save: frozenset[int]

    @classmethod
    def of(cls, plan: BatchPlan) -> Milestones:
        """Evaluate after each epoch, half-way through long ones, and not more often than is useful."""
        steps = plan.steps
        apart = math.ceil(steps / EVALUATIONS) if len(plan.epoch_ends) > EVALUATIONS else 1
        evaluate, start, last = {steps}, 0, 0
        for end in plan.epoch_ends:
            points = [(start + end) // 2, end] if end - start >= LONG_EPOCH else [end]
            for point in points:
                if point - last >= apart:
                    evaluate.add(point)
                    last = point
            start = end
        save = evaluate | set(range(CHECKPOINT_STEPS, steps, CHECKPOINT_STEPS))
        # The logged loss is a mean since the last entry, so one must stand where a resumed run starts.
        log = save | {1} | set(range(0, steps, max(1, steps // 100))) - {0}
        return cls(frozenset(log), frozenset(evaluate), frozenset(save))


def loss_per_document(outputs: Any, labels: torch.Tensor, num_items_in_batch: Any = None) -> torch.Tensor:
    """Cross-entropy summed, then divided by the documents of the whole optimisation step.

    The loss of transformers' classifiers is a mean per batch: summed over
    accumulated batches and processes it, and the gradient, grow with their
    number (huggingface/transformers#47688), and small batches weigh too much.
    """
    total = cross_entropy(outputs["logits"].float(), labels, reduction="sum")
    return total / (len(labels) if num_items_in_batch is None else num_items_in_batch)


class ClassifierTrainer(Trainer):
    """Follows a `BatchPlan`; measures with ``validate``, which returns ``eval_…`` figures."""

    def __init__(
        self,
        *args: Any,
        plan: BatchPlan,
        milestones: Milestones,
        validate: Callable[[Any], dict[str, float]],
        console: Console,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, compute_loss_func=loss_per_document, **kwargs)
        self._plan = plan
        self._milestones = milestones
        self._validate = validate
        self._gradients_checked = False
        self.remove_callback(PrinterCallback)
        self.add_callback(_Follow(milestones))
        self._show = _Show(console, plan)
        if self.is_world_process_zero():
            self.add_callback(self._show)

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """Train; a progress bar is taken off the terminal however it ends."""
        try:
            return super().train(*args, **kwargs)
        finally:
            self._show.close()

    def get_train_dataloader(self) -> DataLoader[Any]:
        """This process's share of the plan, all epochs in one."""
        pad = self.processing_class.pad_token_id
        return DataLoader(
            self.train_dataset,
            batch_sampler=self._plan.share(self.args.process_index),
            collate_fn=lambda examples: padded(examples, pad),
            # Its own generator: drawing a seed from the global one would make a resumed run differ.
            generator=torch.Generator(),
            pin_memory=self.args.device.type == "cuda",
        )

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
        """One forward and backward pass. Raises TrainingFailed when the loss is no number."""
        loss = super().training_step(model, inputs, num_items_in_batch)
        if not torch.isfinite(loss):
            raise TrainingFailed(
                f"the loss became {loss.item()} at step {self.state.global_step + 1}; "
                f"try a --learning-rate below {self.args.learning_rate:g} or --precision fp32"
            )
        if not self._gradients_checked and self.state.global_step > min(self._milestones.evaluate):
            check_gradients(model)
            self._gradients_checked = True
        return loss

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Measure on the validation part."""
        training = self.model.training
        metrics = self._validate(self.model.eval())
        self.model.train(training)
        if not math.isfinite(metrics["eval_loss"]):
            raise TrainingFailed(
                f"the validation loss became {metrics['eval_loss']} at step {self.state.global_step}; "
                f"try a --learning-rate below {self.args.learning_rate:g} or --precision fp32"
            )
        self.log(dict(metrics))
        self.control: TrainerControl = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
        try:
            super()._save_checkpoint(model, trial)
            # Each process writes its own random state.
            self.accelerator.wait_for_everyone()
            if self.args.should_save:
                seal(folder)
        except UserError:
            raise
        except Exception as error:
            # torch, safetensors and json each have their own error for a full disk.
            raise UserError(f"cannot write checkpoint {folder}: {str(error).splitlines()[0]}") from error


def padded(examples: Sequence[Example], pad: int, *, width: int | None = None) -> dict[str, torch.Tensor]:
    """A batch, padded on the right to ``width`` tokens, by default to its longest document."""
    width = width or max(len(example.ids) for example in examples)
    ids = torch.full((len(examples), width), pad)
    mask = torch.zeros((len(examples), width), dtype=torch.long)
    for line, example in enumerate(examples):
        ids[line, : len(example.ids)] = torch.tensor(example.ids)
        mask[line, : len(example.ids)] = 1
    return {"input_ids": ids, "attention_mask": mask, "labels": torch.tensor([example.label for example in examples])}


class _Follow(TrainerCallback):
    """Does at each step what the milestones say."""

    def __init__(self, milestones: Milestones) -> None:
        self._milestones = milestones

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: Any, **kwargs: Any) -> None:
        if state.best_model_checkpoint:
            # As the resumed state has it, the path is the interrupted run's.
            state.best_model_checkpoint = str(Path(args.output_dir) / Path(state.best_model_checkpoint).name)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        control.should_log = state.global_step in self._milestones.log
        control.should_evaluate = state.global_step in self._milestones.evaluate
        control.should_save = state.global_step in self._milestones.save
        return control


class _Show(TrainerCallback):
    """Tells how far the training is: a bar in a terminal, a line now and then in a log."""

    SECONDS = 15.0

    def __init__(self, console: Console, plan: BatchPlan) -> None:
        self._console = console
        self._plan = plan
        self._told = time.monotonic()
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("step {task.completed} of {task.total}"),
            TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal,
        )  # fmt: skip
        self._task: TaskID | None = None

    def on_train_begin(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        self._progress.start()
        self._task = self._progress.add_task("training", total=self._plan.steps, completed=state.global_step)

    def on_step_end(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        if self._task is not None:
            self._progress.update(self._task, completed=state.global_step)

    def close(self) -> None:
        # Where there is no terminal, stopping would print an empty line.
        if self._task is not None and self._console.is_terminal:
            self._progress.stop()

    def on_log(self, args: Any, state: TrainerState, control: Any, logs: Any = None, **kwargs: Any) -> None:
        place = f"step {state.global_step:>5} of {self._plan.steps}, epoch {self._plan.epoch_at(state.global_step):.2f}"
        if "eval_loss" in logs:
            self._say(
                f"{place}: validation loss {logs['eval_loss']:.4f}, accuracy {logs['eval_accuracy']:.3f}, "
                f"macro F1 {logs['eval_macro_f1']:.3f}"
            )
        elif "loss" in logs and time.monotonic() - self._told > self.SECONDS:
            self._say(f"{place}: training loss {logs['loss']:.4f}")

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False)
        self._told = time.monotonic()
