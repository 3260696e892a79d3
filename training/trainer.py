"""What a classifier's training adds to a planned one: its batches and its loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from training.planned import Milestones, PlannedTrainer

__all__ = ["ClassifierTrainer", "Example", "Milestones", "loss_per_document", "padded"]


@dataclass(frozen=True, slots=True)
class Example:
    """Token ids and the index of the label."""

    ids: list[int]
    label: int


def loss_per_document(outputs: Any, labels: torch.Tensor, num_items_in_batch: Any = None) -> torch.Tensor:
    """Cross-entropy summed, then divided by the documents of the whole optimisation step.

    The loss of transformers' classifiers is a mean per batch: summed over
    accumulated batches and processes it, and the gradient, grow with their
    number (huggingface/transformers#47688), and small batches weigh too much.
    """
    total = cross_entropy(outputs["logits"].float(), labels, reduction="sum")
    return total / (len(labels) if num_items_in_batch is None else num_items_in_batch)


class ClassifierTrainer(PlannedTrainer):
    """Follows a `BatchPlan`; measures with ``validate``, which returns ``eval_…`` figures."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, compute_loss_func=loss_per_document, in_words=_in_words, **kwargs)

    def collate(self, examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        """A batch, padded to its longest document."""
        return padded(examples, self.processing_class.pad_token_id)


def padded(examples: Sequence[Example], pad: int, *, width: int | None = None) -> dict[str, torch.Tensor]:
    """A batch, padded on the right to ``width`` tokens, by default to its longest document."""
    width = width or max(len(example.ids) for example in examples)
    ids = torch.full((len(examples), width), pad)
    mask = torch.zeros((len(examples), width), dtype=torch.long)
    for line, example in enumerate(examples):
        ids[line, : len(example.ids)] = torch.tensor(example.ids)
        mask[line, : len(example.ids)] = 1
    return {"input_ids": ids, "attention_mask": mask, "labels": torch.tensor([example.label for example in examples])}


def _in_words(figures: Mapping[str, float]) -> str:
    return (
        f"validation loss {figures['eval_loss']:.4f}, accuracy {figures['eval_accuracy']:.3f}, "
        f"macro F1 {figures['eval_macro_f1']:.3f}"
    )
