"""Fine-tuning: from the starting model to its best checkpoint by validation loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from transformers import PreTrainedModel, TrainingArguments, set_seed

from fixtures.contracts.manifest import library_versions
from fixtures.conversations.faults import counted
from training.adapters import compute_exactly, load_quantized, merged, with_lora
from training.arguments import planned_arguments
from training.batching import BatchPlan, plan_rows
from training.causal.settings import ALL_LINEAR, CausalSettings
from training.causal.targets import resolve_targets
from training.causal.task import LIBRARIES, CausalTask
from training.checkpoints import checkpoint_to_resume, newest_checkpoint
from training.curves import curve_points, write_curves
from training.place import withdraw
from training.planned import Milestones
from training.processes import is_main_process, process_count
from training.tracking.follow import tell
from training.tracking.session import Tracking

__all__ = ["Trained", "arguments_for", "fine_tune", "plan_for", "planned_in_words"]

Arguments = TypeVar("Arguments", bound=TrainingArguments)


class _Trainer(Protocol):
    """A `PlannedTrainer` that can measure."""

    model: Any
    state: Any
    accelerator: Any

    def measure(self, model: Any) -> dict[str, float]:
        """The ``eval_…`` figures on the validation part."""

    def train(self, *, resume_from_checkpoint: str | None) -> Any:
        """Train."""


@dataclass(frozen=True)
class Trained:
    """The model at its best checkpoint, LoRA still beside its weights if there is any, and how it came about."""

    model: Any
    settings: CausalSettings
    history: dict[str, Any]

    def merged(self, task: CausalTask) -> PreTrainedModel:
        """One plain model. The adapter is used up by this."""
        plain = self.model if self.settings.method == "full" else merged(self.model, task.base, self.settings)
        return plain.to(task.device).eval()


def plan_for(task: CausalTask, rows: int) -> BatchPlan:
    """Batches of ``rows`` rows for the whole training."""
    settings = task.settings
    return plan_rows(
        rows,
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        min_steps=settings.min_steps,
        seed=settings.seed,
        accumulation=settings.gradient_accumulation,
        processes=process_count(),
    )


def planned_in_words(task: CausalTask, plan: BatchPlan, data: str) -> str:
    """What is going to be done with the ``data``, told in two lines."""
    settings = task.settings
    step = settings.batch_size * settings.gradient_accumulation * process_count()
    precision = f" in {str(task.autocast).removeprefix('torch.')}" if task.autocast else ""
    return (
        f"{task.base.name}, method {settings.method}, on {task.device}{precision}: {data}\n"
        f"{counted(plan.steps, 'optimisation step')} of {counted(step, 'row')}, "
        f"{counted(len(plan.epoch_ends), 'epoch')} in all"
    )


def arguments_for(task: CausalTask, kind: type[Arguments], plan: BatchPlan, **others: Any) -> Arguments:
    """Arguments of ``kind`` as the settings have them, with ``others`` as they are."""
    settings = task.settings
    return planned_arguments(
        kind,
        save_to=settings.save_to,
        steps=plan.steps,
        device=task.device,
        autocast=task.autocast,
        seed=settings.seed,
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation,
        gradient_checkpointing=settings.gradient_checkpointing,
        learning_rate=settings.peak_learning_rate,
        lr_scheduler_type=settings.schedule,
        warmup_steps=settings.warmup,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        max_length=task.max_length,
        **others,
    )


def fine_tune(
    task: CausalTask,
    plan: BatchPlan,
    arguments: TrainingArguments,
    trainer_of: Callable[..., _Trainer],
    *,
    identity: dict[str, Any],
    tracking: Tracking | None = None,
) -> Trained:
    """Train as the settings say, from the newest checkpoint of this very training if there is one.

    ``trainer_of`` makes the trainer of model, args, plan, milestones, console
    and tracking; ``identity`` tells this training's data from any other's.
    """
    # What is wrong with the model is found before anything of an earlier run is removed.
    set_seed(task.settings.seed)
    model, settings = _starting_model(task)
    # The first process tidies the folder; the others look at it afterwards.
    with arguments.main_process_first(local=False, desc="checkpoints"):
        checkpoint = _checkpoint_to_resume(task, identity)
    if tracking:
        tracking.begin(task.settings.recorded() | {"steps": plan.steps, "processes": process_count()}, checkpoint)
    withdraw(task.settings.save_to)

    trainer = trainer_of(
        model=model,
        args=arguments,
        processing_class=task.base.tokenizer,
        plan=plan,
        milestones=Milestones.of(plan, task.settings.evaluations),
        console=task.console,
        tracking=tracking,
    )
    before = trainer.measure(trainer.model.eval())
    if tracking:
        tell(tracking, plan, [{"step": 0, **before}])
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    points = curve_points([{"step": 0, **before}, *trainer.state.log_history], plan)
    if is_main_process():
        write_curves(settings.save_to, points)

    # The forward pass that accelerate wrapped in autocast goes back to what a user will call.
    best = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False).eval()
    compute_exactly(best)
    history = {
        "steps": plan.steps,
        "epochs": len(plan.epoch_ends),
        "best_step": trainer.state.best_global_step,
        "validation_loss_before": before["eval_loss"],
        "best_validation_loss": trainer.state.best_metric,
        "curves": points,
    }
    return Trained(best, settings, history)


def _starting_model(task: CausalTask) -> tuple[Any, CausalSettings]:
    """The model before its first step, with what is trainable marked so, and the settings with real layer names."""
    settings = task.settings
    if settings.method == "qlora":
        model = load_quantized(task.base, task.device, task.autocast or torch.float32)
    else:
        model = task.base.load().to(task.device)
    _end_answers(model, task)
    if settings.method == "full":
        return model, settings
    targets: tuple[str, ...] = ()
    if settings.lora_target_modules and settings.lora_target_modules != (ALL_LINEAR,):
        targets, replaced = resolve_targets(model, settings.lora_target_modules)
        for name, other in replaced.items():
            task.console.print(f"note: this model has no layer {name}; {other} gets LoRA in its place")
    settings = settings.model_copy(update={"lora_target_modules": targets})
    return with_lora(model, task.base, settings), settings


def _end_answers(model: PreTrainedModel, task: CausalTask) -> None:
    """Have `generate` stop where the template ends an answer, and pad as the tokenizer does."""
    known = model.generation_config.eos_token_id
    stops = [] if known is None else [known] if isinstance(known, int) else list(known)
    model.generation_config.eos_token_id = list(dict.fromkeys([*stops, *task.stop_tokens])) or None
    model.generation_config.pad_token_id = task.base.tokenizer.pad_token_id


def _checkpoint_to_resume(task: CausalTask, identity: dict[str, Any]) -> Path | None:
    settings = task.settings
    if not is_main_process():
        return newest_checkpoint(settings.save_to / "checkpoints")[0]
    owner = {
        **settings.decisive(),
        **identity,
        "base_revision": task.base.revision,
        "base_digest": task.base.digest,
        "computed_on": f"{task.device.type} {task.autocast} x {process_count()}",
        "versions": library_versions(*LIBRARIES),
    }
    return checkpoint_to_resume(settings.save_to, owner, task.console)
