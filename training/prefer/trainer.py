"""trl's DPOTrainer, following a plan, with a validation that is exact.

DPO (Rafailov et al. 2023, arXiv:2305.18290) makes the better answer of a pair
more probable than the worse one, beside what a reference, here the model as it
was, says of them: with d the difference of the log-probabilities of both
answers, the loss of a pair is -log sigmoid(beta * (d - d of the reference)).
What the reference says never changes. So it is asked once, before the first
step: neither a second model in memory nor a second pass at every step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from accelerate.utils import gather_object
from datasets import Dataset, disable_progress_bars
from torch.nn.functional import softplus
from trl import DPOTrainer

from fixtures.contracts.inference import TOKEN_BUDGET, token_budget_batches
from training.adapters import train_in_float32
from training.planned import PlannedTrainer
from training.prefer.tokens import Row

__all__ = ["PreferenceTrainer"]

REFERENCE = ("ref_chosen_logps", "ref_rejected_logps")
"""Columns in which trl expects what the reference says."""


class PreferenceTrainer(PlannedTrainer, DPOTrainer):
    """Learns pairs that are tokenized and cut already; the reference is the model as it comes."""

    def __init__(self, *args: Any, train: Sequence[Row], validation: Sequence[Row], **kwargs: Any) -> None:
        super().__init__(
            *args,
            train_dataset=_as_dataset(train),
            eval_dataset=_as_dataset(validation),
            validate=self.measure,
            in_words=_in_words,
            **kwargs,
        )
        if "ref" in getattr(self.model, "peft_config", {}):
            # A copy of LoRA, for a reference that is asked at every step.
            self.model.delete_adapter("ref")
        train_in_float32(self.model)
        if self.accelerator.num_processes > 1:
            # trl gathers figures of each pair in a way that wants batches of one size; the last ones may differ.
            self.accelerator.gather = _gather

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """The loss of a batch, weighed by its size: trl's is a mean, and a step's batches need not be equally large."""
        mean = cast(Any, super()).compute_loss(model, inputs, *args, **kwargs)
        batches = self._plan.step(self.state.global_step)
        return mean * (len(inputs["input_ids"]) / 2 * len(batches) / sum(map(len, batches)))

    def measure(self, model: Any) -> dict[str, float]:
        """Means over the validation pairs; processes share the work. A pair without a difference counts half right."""
        answers = self._log_probabilities(model, self.eval_dataset)
        reference = torch.tensor([self.eval_dataset[name] for name in REFERENCE], dtype=torch.float64).T
        rewards = self.beta * (answers - reference)
        margin = rewards[:, 0] - rewards[:, 1]
        figures = {
            "eval_loss": softplus(-margin),
            "eval_accuracy": (margin > 0).double() + (margin == 0).double() / 2,
            "eval_rewards/margins": margin,
            "eval_logps/chosen": answers[:, 0],
            "eval_logps/rejected": answers[:, 1],
        }
        return {name: float(values.mean()) for name, values in figures.items()}

    @torch.no_grad()
    def _log_probabilities(self, model: Any, dataset: Dataset) -> torch.Tensor:
        """What the model says of both answers of each pair: pairs x 2, in nats, summed over tokens."""
        pairs = dataset.with_format(None).to_list()
        sizes = [2 * (len(pair["prompt_ids"]) + max(map(len, _answers(pair)))) for pair in pairs]
        batches = token_budget_batches(sizes, TOKEN_BUDGET)
        result = torch.zeros(len(pairs), 2, dtype=torch.float64, device=self.args.device)
        for number in range(self.accelerator.process_index, len(batches), self.accelerator.num_processes):
            batch = self.data_collator([pairs[index] for index in batches[number]])
            batch = {key: value.to(self.args.device) for key, value in batch.items()}
            labels = batch["input_ids"].masked_fill(batch["completion_mask"] == 0, -100)
            with self.compute_loss_context_manager():
                outputs = model(
                    input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=labels,
                    use_cache=False, fused_lm_head=True,
                )  # fmt: skip
            result[batches[number]] = torch.stack(outputs.log_probs.double().sum(1).chunk(2), dim=1)
        summed: torch.Tensor = self.accelerator.reduce(result, "sum")
        return summed.cpu()

    def _prepare_dataset(self, dataset: Dataset, *args: Any, **kwargs: Any) -> Dataset:
        """As it is: pairs come tokenized and cut."""
        return dataset

    def _precompute_ref_logps(self, dataset: Dataset, *args: Any, **kwargs: Any) -> Dataset:
        """With what the model says before its first step. (trl's own writes files, and knows no order by length.)"""
        training = self.model.training
        found = self._log_probabilities(self.model.to(self.args.device).eval(), dataset)
        self.model.train(training)
        for name, values in zip(REFERENCE, found.T.tolist(), strict=True):
            dataset = dataset.add_column(name, values)
        return dataset

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """None: nobody reads it in a folder of checkpoints."""


def _gather(figures: torch.Tensor) -> torch.Tensor:
    """The figures of all processes, however many each of them has."""
    return torch.tensor(gather_object(figures.flatten().tolist()), dtype=figures.dtype, device=figures.device)


def _as_dataset(rows: Sequence[Row]) -> Dataset:
    disable_progress_bars()
    return Dataset.from_dict(
        {
            "prompt_ids": [row.prompt for row in rows],
            "chosen_ids": [row.chosen for row in rows],
            "rejected_ids": [row.rejected for row in rows],
        }
    )


def _answers(pair: Mapping[str, Any]) -> tuple[list[int], list[int]]:
    return pair["chosen_ids"], pair["rejected_ids"]


def _in_words(figures: Mapping[str, float]) -> str:
    return (
        f"validation loss {figures['eval_loss']:.4f}, {figures['eval_accuracy']:.1%} of pairs in the right order, "
        f"margin {figures['eval_rewards/margins']:.3f}"
    )
