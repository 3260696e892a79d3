"""The settings of ``python -m training prefer`` beside those of every language model."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

from pydantic import Field, model_validator

from training.causal.settings import CausalSettings

__all__ = ["PreferSettings"]


class PreferSettings(CausalSettings):
    """How to tune a chat model by preferences. Lengths are in tokens."""

    # trl's rate for all weights, and ten times that for LoRA: a tenth of what teaches a model to talk.
    learning_rates: ClassVar[dict[str, float]] = {"lora": 1e-5, "qlora": 1e-5, "full": 1e-6}
    without_effect: ClassVar[tuple[str, ...]] = (
        *CausalSettings.without_effect,
        "train_file",
        "eval_file",
        "chat_template",
    )

    base_model: str = Field(
        "microsoft/Phi-3.5-mini-instruct",
        min_length=1,
        description="the chat model to tune and to stay close to: hub id, local folder (of training chat, say) or "
        "scratch:llama-tiny",
    )
    train_file: Path | None = Field(
        None, description='pairs to learn, JSON Lines of {"prompt", "chosen", "rejected"}; must be given'
    )
    eval_file: Path | None = Field(
        None, description="pairs on which the best checkpoint is chosen (default: a share of the prompts to learn)"
    )
    chat_template: Path | None = Field(
        None, description="Jinja file to use as chat template (default: the model's own, or a plain one)"
    )
    beta: float = Field(0.1, gt=0, description="how dear it is to move away from the base model: more, closer to it")

    lora_dropout: float = Field(0, ge=0, lt=1, description="dropout on LoRA's input")
    epochs: int = Field(1, ge=1, description="passes over the data to learn")
    learning_rate: float | None = Field(
        None, gt=0, description="peak learning rate (default: 1e-5 for lora and qlora, 1e-6 for full)"
    )
    batch_size: int = Field(4, ge=1, description="pairs of a batch")

    @model_validator(mode="after")
    def _something_to_learn(self) -> Self:
        if self.train_file is None:
            raise ValueError("--train-file is missing: which preferences are to be learned?")
        return self
