"""Fine-tune a text classifier: the story of ``python -m training classify``.

documents → base model → training on batches planned ahead, best checkpoint by
validation loss → one plain model → saved, loaded again elsewhere, compared →
measured beside a baseline → manifest, last of all
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from transformers import PreTrainedModel, TrainingArguments, set_seed
from transformers.utils import logging as transformers_logging

from fixtures.contracts.errors import UserError
from fixtures.contracts.files import encodable, write_json
from fixtures.contracts.inference import TOKEN_BUDGET, apply_template, encode, predict_logits, resolve_device
from fixtures.contracts.manifest import MANIFEST, Manifest, library_versions, write_manifest
from fixtures.datasets import Document
from training.adapters import compute_exactly, load_quantized, merged, with_lora
from training.base_models import BaseModel, load_base_model
from training.batching import plan_batches
from training.checkpoints import newest_checkpoint, open_checkpoints
from training.curves import write_curves
from training.devices import autocast_type
from training.documents import Corpus, load_corpus, stratified
from training.export import PROBES, save_model
from training.head import STRENGTHS, Documents, fit_head
from training.measures import Baseline, measure
from training.reload import check_reloaded
from training.settings import ClassifySettings
from training.trainer import ClassifierTrainer, Example, Milestones

__all__ = ["classify"]

LIBRARIES = ("newsjudge", "torch", "transformers", "peft", "bitsandbytes", "accelerate", "scikit-learn", "tokenizers")
PROBE_DOCUMENTS = 2000
"""Documents to which the head is fitted before fine-tuning: enough for a start."""


TOLERANCE = 1e-3
"""Of the largest logit: float32 sums in another order stay a hundred times below."""


@dataclass(frozen=True)
class Task:
    """What every step needs to know: the settings and what they came to on this machine and data."""

    settings: ClassifySettings
    console: Console
    device: torch.device
    autocast: torch.dtype | None
    corpus: Corpus
    base: BaseModel
    max_length: int

    def rows(self, documents: Sequence[Document]) -> list[list[int]]:
        """Token ids of documents, as training and evaluation read them."""
        texts = [document.text for document in documents]
        return encode(self.base.tokenizer, texts, template=self.settings.prompt_template, max_length=self.max_length)

    def documents(self, documents: Sequence[Document]) -> Documents:
        """Token ids and label indices of documents."""
        return Documents(self.rows(documents), self.corpus.targets(documents))

    @property
    def budget(self) -> int:
        """Tokens per batch where no gradient is needed."""
        return max(self.settings.batch_tokens, TOKEN_BUDGET)

    def logits(self, model: Any, rows: Sequence[Sequence[int]], *, exact: bool = False) -> np.ndarray:
        """Logits of ``rows``, in their order; ``exact`` computes in float32."""
        return predict_logits(
            model,
            rows,
            pad_token_id=self.base.tokenizer.pad_token_id,
            budget=self.budget,
            autocast=None if exact else self.autocast,
        )


@dataclass(frozen=True)
class Trained:
    """A finished model, the logits it should give for the probes, and how it came about."""

    model: PreTrainedModel
    probe_logits: np.ndarray
    history: dict[str, Any]


def classify(settings: ClassifySettings, console: Console) -> Path:
    """Train, check, measure and save; returns the model folder.

    Raises UserError for what the user can mend, TrainingFailed when the model
    did not come out right. There is no manifest then.
    """
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    started = time.monotonic()
    folder = settings.save_to / "model"
    _refuse_own_output_as_base(settings, folder)
    _withdraw(settings.save_to)

    task = _understand(settings, console)
    trained = _fit_last_layer(task) if settings.method == "head" else _fine_tune(task)
    if not _main_process():
        return folder

    probes = task.corpus.validation[:PROBES]
    save_model(trained.model, task.base.tokenizer, folder)
    difference = check_reloaded(
        folder,
        [apply_template(settings.prompt_template, encodable(document.text)) for document in probes],
        trained.probe_logits,
        max_length=task.max_length,
        tolerance=TOLERANCE * max(1.0, float(np.abs(trained.probe_logits).max())),
    )
    console.print(f"saved to {folder}; loaded again in a new process, logits differ by {difference:.1g} at most")

    metrics = _measure(task, trained.model)
    metrics["training"] = trained.history | {"seconds": round(time.monotonic() - started, 1)}
    write_json(settings.save_to / "metrics.json", metrics)
    write_manifest(folder, _manifest(task, metrics))
    shutil.rmtree(settings.save_to / "checkpoints", ignore_errors=True)
    _summarize(task, metrics, folder)
    return folder


def _refuse_own_output_as_base(settings: ClassifySettings, folder: Path) -> None:
    if folder.exists() and Path(settings.base_model).exists() and folder.samefile(settings.base_model):
        raise UserError(f"--base-model {settings.base_model} is where the new model goes; choose another --save-to")


def _withdraw(save_to: Path) -> None:
    """Remove the statements of an earlier run: nobody shall take them for this one's."""
    try:
        for path in (save_to / "model" / MANIFEST, save_to / "metrics.json"):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"cannot write to --save-to {save_to}: {error.strerror}") from error


def _understand(settings: ClassifySettings, console: Console) -> Task:
    """Settle everything that can be wrong before anything long begins."""
    device = resolve_device(settings.device)
    autocast = autocast_type(settings.precision, device)
    try:
        settings.save_to.mkdir(parents=True, exist_ok=True)
        if not os.access(settings.save_to, os.W_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise UserError(f"cannot write to --save-to {settings.save_to}: {error.strerror}") from error
    corpus = load_corpus(settings)
    for split, reasons in corpus.dataset.dropped.items():
        for reason, count in reasons.items():
            console.print(f"note: {count} documents of the {split} split are left out: {reason}")
    base = load_base_model(settings.base_model, corpus.labels, [document.text for document in corpus.train])
    max_length = base.max_length(settings.max_length)
    if max_length > settings.batch_tokens:
        raise UserError(
            f"--batch-tokens {settings.batch_tokens} cannot hold one document of {max_length} tokens; "
            "raise it or lower --max-length"
        )
    console.print(
        f"{settings.base_model}, method {settings.method}, on {device}"
        f"{' in ' + str(autocast).removeprefix('torch.') if autocast else ''}: {len(corpus.train)} documents of "
        f"{len(corpus.labels)} categories to train on, {len(corpus.validation)} to choose on, "
        f"{len(corpus.test or ())} to measure on"
    )
    return Task(settings, console, device, autocast, corpus, base, max_length)


def _fit_last_layer(task: Task) -> Trained:
    set_seed(task.settings.seed)
    model = task.base.load().to(task.device)
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


def _fine_tune(task: Task) -> Trained:
    settings, corpus = task.settings, task.corpus
    processes = int(os.environ.get("WORLD_SIZE", "1"))
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
    checkpoint = _checkpoint_to_resume(task, processes)

    set_seed(settings.seed)
    model = _starting_model(task, fit_head_first=checkpoint is None)
    validation_rows, validation_targets = task.rows(corpus.validation), corpus.targets(corpus.validation)

    def validate(current: Any) -> dict[str, float]:
        figures = measure(validation_targets, task.logits(current, validation_rows))
        return {f"eval_{name}": figures[name] for name in ("loss", "accuracy", "macro_f1")}

    trainer = ClassifierTrainer(
        model=model,
        args=_arguments(task, plan.steps),
        train_dataset=[Example(row, label) for row, label in zip(rows, corpus.targets(corpus.train), strict=True)],
        # Measured by `validate`; Trainer only wants to see that there is something.
        eval_dataset=[],
        processing_class=task.base.tokenizer,
        plan=plan,
        milestones=Milestones.of(plan),
        validate=validate,
        console=task.console,
    )
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if _main_process():
        write_curves(settings.save_to, trainer.state.log_history, plan)

    # The forward pass that accelerate wrapped in autocast goes back to what a user will call.
    best = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False).eval()
    compute_exactly(best)
    probe_logits = task.logits(best, task.rows(corpus.validation[:PROBES]), exact=True)
    if settings.keep_adapter and _main_process():
        best.save_pretrained(settings.save_to / "adapter")
    final = best if settings.method == "full" else merged(best, task.base, settings)
    history = {
        "steps": plan.steps,
        "epochs": len(plan.epoch_ends),
        "best_step": trainer.state.best_global_step,
        "best_validation_loss": trainer.state.best_metric,
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
    settings, folder = task.settings, task.settings.save_to / "checkpoints"
    owner = {
        **settings.decisive(),
        "documents": task.corpus.dataset.digest("train"),
        "base_revision": task.base.revision,
        "base_digest": task.base.digest,
        "computed_on": f"{task.device.type} {task.autocast} x {processes}",
        "versions": library_versions(*LIBRARIES),
    }
    if not _main_process():
        # The first process tidies the folder before the others get past the start of training.
        return newest_checkpoint(folder)[0]
    if differences := open_checkpoints(folder, owner):
        task.console.print(
            f"note: the checkpoints in {folder} are of a training with other {', '.join(differences)}; starting anew"
        )
    checkpoint, damaged = newest_checkpoint(folder)
    for path in damaged:
        task.console.print(f"note: {path.name} is incomplete or damaged and was removed")
    if checkpoint:
        task.console.print(f"continuing from {checkpoint.name}")
    else:
        shutil.rmtree(settings.save_to / "logs", ignore_errors=True)
    return checkpoint


def _arguments(task: Task, steps: int) -> TrainingArguments:
    settings = task.settings
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(settings.save_to / "logs")
    # What is done when is decided by our milestones; intervals that never come keep Trainer's own quiet.
    never = 10**9
    arguments = TrainingArguments(
        output_dir=str(settings.save_to / "checkpoints"),
        max_steps=steps,
        gradient_accumulation_steps=settings.gradient_accumulation,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=settings.warmup,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        seed=settings.seed,
        data_seed=settings.seed,
        use_cpu=task.device.type == "cpu",
        bf16=task.autocast is torch.bfloat16,
        fp16=task.autocast is torch.float16,
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
        report_to=["tensorboard"] if _has_tensorboard() else [],
        ddp_backend="gloo" if task.device.type == "cpu" and "WORLD_SIZE" in os.environ else None,
    )
    # Several visible GPUs without torchrun: Trainer would fall back to DataParallel, which is slow and wrong here.
    arguments._n_gpu = min(arguments.n_gpu, 1)
    return arguments


def _has_tensorboard() -> bool:
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        return False
    return True


def _main_process() -> bool:
    return os.environ.get("RANK", "0") == "0"


def _measure(task: Task, model: PreTrainedModel) -> dict[str, Any]:
    """The model and the baseline on the validation and the test documents."""
    corpus = task.corpus
    task.console.print("measuring, and training the baseline on the same documents")
    baseline = Baseline([document.text for document in corpus.train], corpus.targets(corpus.train), len(corpus.labels))
    result: dict[str, Any] = {"schema_version": 1, "labels": corpus.labels, "baseline": baseline.name}
    for part, documents in (("validation", corpus.validation), ("test", corpus.test)):
        if documents is None:
            result[part] = None
            continue
        targets = corpus.targets(documents)
        result[part] = {
            "model": measure(targets, task.logits(model, task.rows(documents))),
            "baseline": baseline.measure([document.text for document in documents], targets),
        }
    return result


def _manifest(task: Task, metrics: dict[str, Any]) -> Manifest:
    corpus, dataset = task.corpus, task.corpus.dataset
    return Manifest(
        base_model=task.base.name,
        base_revision=task.base.revision or task.base.digest,
        labels=corpus.labels,
        prompt_template=task.settings.prompt_template,
        max_length=task.max_length,
        dataset={
            "name": dataset.name,
            "remove": dataset.remove,
            "digests": {split: dataset.digest(split) for split in dataset.splits},
            "counts": {
                "train": len(corpus.train),
                "validation": len(corpus.validation),
                "test": len(corpus.test or ()),
            },
            "dropped": dataset.dropped,
        },
        settings=task.settings.recorded(),
        seed=task.settings.seed,
        versions=library_versions(*LIBRARIES),
        metrics=metrics,
    )


def _summarize(task: Task, metrics: dict[str, Any], folder: Path) -> None:
    table = Table(title=f"{task.base.name} on {task.corpus.dataset.name}")
    for heading in ("documents", "", "loss", "accuracy", "macro F1"):
        table.add_column(heading, justify="right" if heading in ("loss", "accuracy", "macro F1") else "left")
    for part in ("validation", "test"):
        for who, name in (("model", "this model"), ("baseline", metrics["baseline"])):
            if metrics[part]:
                row = metrics[part][who]
                figures = (f"{row[key]:.3f}" for key in ("loss", "accuracy", "macro_f1"))
                table.add_row(f"{part} ({row['documents']})" if who == "model" else "", name, *figures)
    task.console.print(table)
    for name in ("metrics.json", "curves.png", "curves.csv", "logs"):
        if (task.settings.save_to / name).exists():
            task.console.print(f"{name:<13} {task.settings.save_to / name}")
    task.console.print(f"{'model':<13} {folder}")
