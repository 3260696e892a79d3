"""The settings of ``python -m training chat`` beside those of every language model."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from training.causal.settings import CausalSettings

__all__ = ["ChatSettings"]

# The settings of the Azure SLM workshop, where they are not ours.
_PRESETS: dict[str, dict[str, Any]] = {
    "workshop": {
        "lora_alpha": 16,
        "lora_target_modules": ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
        "loss_on": "all",
        "epochs": 1,
        "min_steps": 0,
        "learning_rate": 2e-5,
        "schedule": "linear",
        "warmup": 0.2,
        "batch_size": 1,
        "gradient_accumulation": 4,
    }
}


class ChatSettings(CausalSettings):
    """How to fine-tune a language model on conversations. Lengths are in tokens."""

    without_effect: ClassVar[tuple[str, ...]] = (
        *CausalSettings.without_effect,
        "preset",
        "train_file",
        "eval_file",
        "chat_template",
    )

    train_file: Path | None = Field(
        None, description='conversations to learn, JSON Lines of {"messages": [...]}; must be given'
    )
    eval_file: Path | None = Field(
        None, description="conversations on which the best checkpoint is chosen (default: a share of the train file)"
    )
    preset: Literal["ours", "workshop"] = Field(
        "ours", description="defaults to start from; workshop: those of the Azure SLM workshop"
    )
    chat_template: Path | None = Field(
        None, description="Jinja file to use as chat template (default: the model's own, or a plain one)"
    )
    loss_on: Literal["assistant", "all"] = Field(
        "assistant", description="tokens to learn: what the assistant says, or everything"
    )
    packing: bool = Field(
        False, description="put several conversations into a row of max-length tokens; they do not see each other"
    )

    @model_validator(mode="before")
    @classmethod
    def _preset_below_what_is_given(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {**_PRESETS.get(str(values.get("preset")), {}), **values}

    @model_validator(mode="after")
    def _something_to_learn(self) -> Self:
        if self.train_file is None:
            raise ValueError("--train-file is missing: which conversations are to be learned?")
        return self
