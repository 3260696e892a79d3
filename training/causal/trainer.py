"""trl's SFTTrainer, following a plan, with a validation loss that is exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from datasets import Dataset, disable_progress_bars
from trl import SFTTrainer, pack_dataset
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from fixtures.contracts.inference import TOKEN_BUDGET, token_budget_batches
from training.adapters import train_in_float32
from training.causal.tokens import Row
from training.planned import PlannedTrainer

__all__ = ["RowTrainer", "as_dataset"]


class RowTrainer(PlannedTrainer, SFTTrainer):
    """Learns rows that are tokenized, cut and labelled already, so that what is learned can be reported before.

    ``validation`` is measured row by row, packed rows or not: a loss per token
    that does not depend on how rows share batches, as Trainer's own does.
    """

    def __init__(self, *args: Any, validation: Sequence[Row], **kwargs: Any) -> None:
        super().__init__(*args, validate=self.measure, in_words=_in_words, eval_dataset=[], **kwargs)
        self._batches = _batches(validation, self.processing_class.pad_token_id)
        train_in_float32(self.model)

    @torch.no_grad()
    def measure(self, model: Any) -> dict[str, float]:
        """Loss and accuracy per token of the validation rows; processes share the work."""
        sums = torch.zeros(3, dtype=torch.float64, device=self.args.device)
        processes = self.accelerator.num_processes
        for number in range(self.accelerator.process_index, len(self._batches), processes):
            batch = {key: value.to(self.args.device) for key, value in self._batches[number].items()}
            with self.compute_loss_context_manager():
                outputs = model(**batch, use_cache=False, fused_lm_head=True)
            figures = (-outputs.log_probs.sum(), outputs.is_top1.sum(), outputs.label_mask.sum())
            sums += torch.stack([figure.double() for figure in figures])
        loss, right, tokens = self.accelerator.reduce(sums, "sum").tolist()
        return {"eval_loss": loss / tokens, "eval_mean_token_accuracy": right / tokens}

    def collate(self, examples: Sequence[Any]) -> dict[str, torch.Tensor]:
        """A batch of rows, padded; of packs, such that conversations do not see each other."""
        flat = "flash" in (self.model.config._attn_implementation or "")
        if not self.padding_free or flat:
            return super().collate(examples)
        # trl lays the packs of a batch end to end. Only flash attention passes over what a conversation must not
        # see; any other computes all of it, which grows with the square of the length. Side by side, it does not.
        batch: dict[str, torch.Tensor] = DataCollatorForLanguageModeling(
            self.processing_class.pad_token_id, return_position_ids=True
        )(examples)
        # With a mask given, attention would look for the ends of conversations in that, not in the positions.
        del batch["attention_mask"]
        return batch

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """None: nobody reads it in a folder of checkpoints."""


def as_dataset(rows: Sequence[Row], *, pack_to: int | None) -> Dataset:
    """Rows as SFTTrainer takes them; several in one of ``pack_to`` tokens if that is given."""
    disable_progress_bars()
    dataset = Dataset.from_dict({"input_ids": [row.ids for row in rows], "labels": [row.labels for row in rows]})
    # Best fit decreasing: no row is parted. Attention sees by the positions where one ends.
    return pack_dataset(dataset, pack_to, "bfd") if pack_to else dataset


def _in_words(figures: Mapping[str, float]) -> str:
    """A line of what was measured."""
    return (
        f"validation loss {figures['eval_loss']:.4f}, {figures['eval_mean_token_accuracy']:.1%} of tokens guessed right"
    )


def _batches(rows: Sequence[Row], pad: int) -> list[dict[str, torch.Tensor]]:
    collate = DataCollatorForLanguageModeling(pad)
    return [
        collate([{"input_ids": rows[index].ids, "labels": rows[index].labels} for index in batch])
        for batch in token_budget_batches([len(row.ids) for row in rows], TOKEN_BUDGET)
    ]
