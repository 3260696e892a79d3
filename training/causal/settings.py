"""The settings that all fine-tuning of language models has in common: each default stated once."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from training.settings import Names, Precision
from training.tracking.choice import Trackers

__all__ = ["ALL_LINEAR", "CausalSettings"]

ALL_LINEAR = "all-linear"


class CausalSettings(BaseSettings):
    """How to fine-tune a causal language model. Lengths are in tokens."""

    model_config = SettingsConfigDict(env_prefix="TRAINING_", extra="forbid", frozen=True, allow_inf_nan=False)

    learning_rates: ClassVar[dict[str, float]] = {"lora": 2e-4, "qlora": 2e-4, "full": 2e-5}
    """The learning rate of each method, unless one is given."""

    without_effect: ClassVar[tuple[str, ...]] = ("config_file", "save_to", "track", "save", "check_only")
    """What does not change the trained weights, or is known by its content (files are)."""

    config_file: Path | None = Field(None, description="JSON file with any of these settings; wins over all else")
    save_to: Path = Field(Path("./out"), description="folder for the model, metrics, curves and logs")
    base_model: str = Field(
        "microsoft/Phi-3.5-mini-instruct",
        min_length=1,
        description="hub id, local folder or scratch:llama-tiny",
    )
    track: Trackers = Field((), description="follow the training in mlflow, wandb or both, beside TensorBoard")
    device: str = Field("auto", min_length=1, description="auto, cpu, cuda, cuda:1, ...")

    check_only: bool = Field(False, description="say what is wrong with the files and how long their rows are, and end")
    validation_share: float = Field(
        0.1, gt=0, lt=1, description="share of the data on which the best checkpoint is chosen, without an eval file"
    )
    max_length: int | None = Field(
        None, ge=8, description="tokens of a row at most (default: what the model takes, 2048 at most)"
    )

    method: Literal["lora", "qlora", "full"] = Field(
        "lora",
        description="lora: small matrices beside frozen weights; qlora: the same on 4-bit weights; full: all weights",
    )
    lora_rank: int = Field(16, ge=1, description="rank of the LoRA matrices")
    lora_alpha: float = Field(32, gt=0, description="LoRA's scale is alpha / rank")
    lora_dropout: float = Field(0.05, ge=0, lt=1, description="dropout on LoRA's input")
    lora_target_modules: Names = Field(
        (ALL_LINEAR,), description=f"names of the layers that get LoRA; {ALL_LINEAR}: all but the output layer"
    )
    save: Literal["merged", "adapter", "both"] = Field(
        "merged", description="merged: one plain model in save_to/model; adapter: LoRA by itself in save_to/adapter"
    )

    epochs: int = Field(3, ge=1, description="passes over the data to learn")
    min_steps: int = Field(
        30, ge=0, description="floor on optimisation steps: little data is passed over more often until it is reached"
    )
    evaluations: int | None = Field(
        None,
        ge=1,
        description="how often to measure on the validation part, evenly, with a checkpoint each time (default: after "
        "each epoch, about ten times in a long training)",
    )
    learning_rate: float | None = Field(
        None, gt=0, description="peak learning rate (default: 2e-4 for lora and qlora, 2e-5 for full)"
    )
    schedule: Literal["linear", "cosine"] = Field("cosine", description="how the learning rate falls to 0")
    warmup: float = Field(0.1, ge=0, lt=1, description="share of the steps with rising learning rate")
    batch_size: int = Field(4, ge=1, description="rows of a batch")
    gradient_accumulation: int = Field(1, ge=1, description="batches per optimisation step")
    gradient_checkpointing: bool = Field(False, description="save memory by computing activations twice")
    weight_decay: float = Field(0, ge=0, description="AdamW's weight decay")
    max_grad_norm: float = Field(1, gt=0, description="gradients are clipped to this norm")
    precision: Precision = Field("auto", description="arithmetic of the forward pass; auto: the fastest safe one here")
    seed: int = Field(42, ge=0, lt=2**32, description="of everything random")

    @model_validator(mode="after")
    def _methods_fit(self) -> Self:
        if self.method == "full" and self.save != "merged":
            raise ValueError(f"--save {self.save}: --method full makes no adapter")
        if self.method != "full" and self.base_model.startswith("scratch:"):
            raise ValueError(
                f"--method {self.method} --base-model {self.base_model}: a model made from scratch has no trained "
                "weights worth freezing; use --method full"
            )
        if ALL_LINEAR in self.lora_target_modules and len(self.lora_target_modules) > 1:
            raise ValueError(f"--lora-target-modules: {ALL_LINEAR} is all there is; name it alone")
        return self

    @property
    def peak_learning_rate(self) -> float:
        """The learning rate given, or the one for the method."""
        return self.learning_rate or self.learning_rates[self.method]

    def recorded(self) -> dict[str, Any]:
        """All settings as JSON values, for the manifest."""
        return self.model_dump(mode="json") | {"learning_rate": self.peak_learning_rate}

    def decisive(self) -> dict[str, Any]:
        """The settings that change the trained weights."""
        return {key: value for key, value in self.recorded().items() if key not in self.without_effect}
