"""Fine-tuning: batches planned ahead, the best checkpoint by validation loss, one plain model in the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments, set_seed

from fixtures.contracts.manifest import library_versions
from training.adapters import compute_exactly, load_quantized, merged, with_lora
from training.arguments import planned_arguments
from training.batching import plan_batches
from training.checkpoints import checkpoint_to_resume, newest_checkpoint
from training.curves import curve_points, write_curves
from training.documents import stratified
from training.export import PROBES
from training.head import STRENGTHS, fit_head
from training.measures import measure
from training.place import withdraw
from training.processes import is_main_process, process_count
from training.task import LIBRARIES, Task, Trained
from training.tracking.session import Tracking
from training.trainer import ClassifierTrainer, Example, Milestones

__all__ = ["fine_tune", "fit_last_layer"]

PROBE_DOCUMENTS = 2000
"""Documents to which the head is fitted before fine-tuning: enough for a start."""


def fit_last_layer(task: Task, tracking: Tracking | None = None) -> Trained:
    """Train nothing but the last layer, by logistic regression."""
    if tracking:
        tracking.begin(task.settings.recorded(), None, resumable=False)
    set_seed(task.settings.seed)
    model = task.base.load().to(task.device)
    withdraw(task.settings.save_to)
    task.console.print(f"fitting the last layer to {len(task.corpus.train)} documents")
    strength = fit_head(
        model,
        task.documents(task.corpus.train),
        strengths=STRENGTHS,
        choose_on=task.documents(task.corpus.validation),
        budget=task.budget,
        autocast=task.autocast,
    )
    probes = task.logits(model.eval(), task.rows(task.corpus.validation[:PROBES]), exact=True)
    return Trained(model, probes, {"head": "logistic regression", "C": strength})


def fine_tune(task: Task, tracking: Tracking | None = None) -> Trained:
    """Train as the settings say, from the newest checkpoint of this very training if there is one."""
    settings, corpus = task.settings, task.corpus
    processes = process_count()
    rows = task.rows(corpus.train)
    plan = plan_batches(
        [len(row) for row in rows],
        budget=settings.batch_tokens,
        epochs=settings.epochs,
        min_steps=settings.min_steps,
        seed=settings.seed,
        accumulation=settings.gradient_accumulation,
        processes=processes,
    )
    task.console.print(
        f"{plan.steps} optimisation steps in {len(plan.epoch_ends)} epochs, {len(plan.batches)} batches of up to "
        f"{settings.batch_tokens} tokens"
    )
    arguments = _arguments(task, plan.steps)
    # The first process tidies the folder; the others look at it afterwards.
    with arguments.main_process_first(local=False, desc="checkpoints"):
        checkpoint = _checkpoint_to_resume(task, processes)
    if tracking:
        tracking.begin(settings.recorded() | {"steps": plan.steps, "processes": processes}, checkpoint)

    set_seed(settings.seed)
    model = _starting_model(task, fit_head_first=checkpoint is None)
    withdraw(settings.save_to)
    validation_rows, validation_targets = task.rows(corpus.validation), corpus.targets(corpus.validation)

    def validate(current: Any) -> dict[str, float]:
        figures = measure(validation_targets, task.logits(current, validation_rows))
        return {f"eval_{name}": figures[name] for name in ("loss", "accuracy", "macro_f1")}

    trainer = ClassifierTrainer(
        model=model,
        args=arguments,
        train_dataset=[Example(row, label) for row, label in zip(rows, corpus.targets(corpus.train), strict=True)],
        # Measured by `validate`; Trainer only wants to see that there is something.
        eval_dataset=[],
        processing_class=task.base.tokenizer,
        plan=plan,
        milestones=Milestones.of(plan),
        validate=validate,
        console=task.console,
        tracking=tracking,
    )
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    points = curve_points(trainer.state.log_history, plan)
    if is_main_process():
        write_curves(settings.save_to, points)

    # The forward pass that accelerate wrapped in autocast goes back to what a user will call.
    best = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False).eval()
    compute_exactly(best)
    probe_logits = task.logits(best, task.rows(corpus.validation[:PROBES]), exact=True)
    if settings.keep_adapter and is_main_process():
        best.save_pretrained(settings.save_to / "adapter")
    final = best if settings.method == "full" else merged(best, task.base, settings)
    history = {
        "steps": plan.steps,
        "epochs": len(plan.epoch_ends),
        "best_step": trainer.state.best_global_step,
        "best_validation_loss": trainer.state.best_metric,
        "curves": points,
    }
    return Trained(final.to(task.device).eval(), probe_logits, history)


def _starting_model(task: Task, *, fit_head_first: bool) -> Any:
    """The model before its first step, with what is trainable marked so."""
    settings = task.settings
    if settings.method == "qlora":
        model = load_quantized(task.base, task.device, task.autocast or torch.float32)
    else:
        model = task.base.load().to(task.device)
    if fit_head_first and settings.probe_first and task.base.source is not None:
        documents = task.corpus.train
        if len(documents) > PROBE_DOCUMENTS:
            documents, _ = stratified(documents, PROBE_DOCUMENTS, settings.seed)
        task.console.print(f"fitting the last layer to {len(documents)} documents")
        fit_head(model, task.documents(documents), budget=task.budget, autocast=task.autocast)
    return model if settings.method == "full" else with_lora(model, task.base, settings)


def _checkpoint_to_resume(task: Task, processes: int) -> Path | None:
    """The newest intact checkpoint of this very training, if an earlier run left one."""
    settings = task.settings
    owner = {
        **settings.decisive(),
        "documents": task.corpus.dataset.digest("train"),
        "base_revision": task.base.revision,
        "base_digest": task.base.digest,
        "computed_on": f"{task.device.type} {task.autocast} x {processes}",
        "versions": library_versions(*LIBRARIES),
    }
    if not is_main_process():
        return newest_checkpoint(settings.save_to / "checkpoints")[0]
    return checkpoint_to_resume(settings.save_to, owner, task.console)


def _arguments(task: Task, steps: int) -> TrainingArguments:
    settings = task.settings
    return planned_arguments(
        TrainingArguments,
        save_to=settings.save_to,
        steps=steps,
        device=task.device,
        autocast=task.autocast,
        seed=settings.seed,
        gradient_accumulation_steps=settings.gradient_accumulation,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=settings.warmup,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
    )
