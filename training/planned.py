"""transformers' Trainer, told which batches to use, how to measure and when to save.

What every training here has in common, whatever it learns: batches planned
ahead, milestones instead of intervals, checkpoints with a seal, an
interruption that loses nothing, and an end to a loss that is no number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch.utils.data import DataLoader
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from fixtures.contracts.errors import UserError
from training.adapters import check_gradients
from training.batching import BatchPlan
from training.checkpoints import seal
from training.errors import TrainingFailed
from training.progress import ShowProgress
from training.stopping import Stopping
from training.tracking.follow import Follow
from training.tracking.session import Tracking

__all__ = ["Milestones", "PlannedTrainer"]

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


@dataclass(frozen=True)
class Milestones:
    """The steps at which something is done, decided before the training starts."""

    log: frozenset[int]
    evaluate: frozenset[int]
    save: frozenset[int]

    @classmethod
    def of(cls, plan: BatchPlan, evaluations: int | None = None) -> Milestones:
        """Evaluate so often, evenly; by default after each epoch, half-way through long ones, about ten times in all.

        Of few steps, each is evaluated at most once.
        """
        steps = plan.steps
        if evaluations is not None:
            return cls._with({math.ceil(steps * number / evaluations) for number in range(1, evaluations + 1)}, steps)
        apart = math.ceil(steps / EVALUATIONS) if len(plan.epoch_ends) > EVALUATIONS else 1
        evaluate, start, last = {steps}, 0, 0
        for end in plan.epoch_ends:
            points = [(start + end) // 2, end] if end - start >= LONG_EPOCH else [end]
            for point in points:
                if point - last >= apart:
                    evaluate.add(point)
                    last = point
            start = end
        return cls._with(evaluate, steps)

    @classmethod
    def _with(cls, evaluate: set[int], steps: int) -> Milestones:
        save = evaluate | set(range(CHECKPOINT_STEPS, steps, CHECKPOINT_STEPS))
        # The logged loss is a mean since the last entry, so one must stand where a resumed run starts.
        log = save | {1} | set(range(0, steps, max(1, steps // 100))) - {0}
        return cls(frozenset(log), frozenset(evaluate), frozenset(save))


class PlannedTrainer(Trainer):
    """Follows a `BatchPlan`; measures with ``validate``, which returns ``eval_…`` figures.

    ``in_words`` makes a line of these figures; ``tracking`` is told all of
    them. A base to be put before any other subclass of Trainer.
    """

    def __init__(
        self,
        *args: Any,
        plan: BatchPlan,
        milestones: Milestones,
        validate: Callable[[Any], dict[str, float]],
        in_words: Callable[[Mapping[str, float]], str],
        console: Console,
        tracking: Tracking | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._plan = plan
        self._milestones = milestones
        self._validate = validate
        self._gradients_checked = False
        self.remove_callback(PrinterCallback)
        self.add_callback(_KeepTo(milestones))
        if tracking is not None:
            self.add_callback(Follow(tracking, plan))
        self._stopping = Stopping()
        self.add_callback(self._stopping)
        self._show = ShowProgress(console, plan, in_words)
        if self.is_world_process_zero():
            self.add_callback(self._show)

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """Train; a progress bar is taken off the terminal however it ends."""
        # Several processes would stop after different steps, and wait for one another: they stop at once.
        listening = self._stopping.listening() if self.args.world_size == 1 else nullcontext()
        try:
            with listening:
                return super().train(*args, **kwargs)
        finally:
            self._show.close()

    def collate(self, examples: Sequence[Any]) -> dict[str, torch.Tensor]:
        """A batch of examples of the training data."""
        batch: dict[str, torch.Tensor] = self.data_collator(examples)
        return batch

    def get_train_dataloader(self) -> DataLoader[Any]:
        """This process's share of the plan, all epochs in one."""
        return DataLoader(
            self.train_dataset,
            batch_sampler=self._plan.share(self.args.process_index),
            collate_fn=self.collate,
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


class _KeepTo(TrainerCallback):
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
