"""The settings of ``python -m training pretrain`` beside those of every language model."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, model_validator

from training.causal.settings import CausalSettings
from training.settings import Names

__all__ = ["PretrainSettings"]


class PretrainSettings(CausalSettings):
    """How to go on pretraining a language model on plain text. Lengths are in tokens."""

    without_effect: ClassVar[tuple[str, ...]] = (*CausalSettings.without_effect, "train_files", "eval_files")

    base_model: str = Field("Qwen/Qwen2.5-1.5B", min_length=1, description="hub id, local folder or scratch:llama-tiny")
    train_files: Names = Field(
        (), description="texts to learn: .txt and .md (a document each), .jsonl (a document a line), or folders of them"
    )
    eval_files: Names = Field(
        (), description="texts on which the best checkpoint is chosen (default: a share of the documents to learn)"
    )
    text_key: str = Field("text", min_length=1, description="where the text is in a line of a .jsonl file")

    # Facts are many and are told once: more room for them, and no noise upon them.
    lora_rank: int = Field(64, ge=1, description="rank of the LoRA matrices")
    lora_alpha: float = Field(128, gt=0, description="LoRA's scale is alpha / rank")
    lora_dropout: float = Field(0, ge=0, lt=1, description="dropout on LoRA's input")
    epochs: int = Field(1, ge=1, description="passes over the data to learn")
    # A row is full: it has as many tokens as several conversations.
    batch_size: int = Field(1, ge=1, description="rows of a batch, each of max-length tokens")
    gradient_accumulation: int = Field(8, ge=1, description="batches per optimisation step")

    @model_validator(mode="after")
    def _something_to_learn(self) -> Self:
        if not self.train_files:
            raise ValueError("--train-files is missing: which texts are to be learned?")
        return self
