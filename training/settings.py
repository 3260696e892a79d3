"""The settings of ``python -m training classify``: each default stated once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from training.tracking.choice import Trackers

__all__ = ["ClassifySettings", "Method", "Precision"]

Method = Literal["lora", "qlora", "full", "head"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]

# What does not change the trained weights; all else makes a checkpoint another run's.
_WITHOUT_EFFECT = ("config_file", "save_to", "track", "keep_adapter", "test_metrics")


def _comma_list(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_comma_list)]


class ClassifySettings(BaseSettings):
    """How to fine-tune a text classifier. Lengths are in tokens."""

    model_config = SettingsConfigDict(env_prefix="TRAINING_", extra="forbid", frozen=True, allow_inf_nan=False)

    config_file: Path | None = Field(None, description="JSON file with any of these settings; wins over all else")
    save_to: Path = Field(Path("./out"), description="folder for the model, metrics, curves and logs")
    base_model: str = Field(
        "openai-community/gpt2",
        min_length=1,
        description="hub id, local folder, embedded:minilm or scratch:gpt2-tiny",
    )
    track: Trackers = Field((), description="follow the training in mlflow, wandb or both, beside TensorBoard")
    device: str = Field("auto", min_length=1, description="auto, cpu, cuda, cuda:1, ...")
    dataset: str = Field(
        "20newsgroups", min_length=1, description="embedded, 20newsgroups, or your file or folder with text and label"
    )
    remove: Names = Field((), description="strip from 20newsgroups: headers,footers,quotes")
    train_samples: int | None = Field(None, ge=2, description="use only N training documents, stratified")
    validation_share: float = Field(
        0.1, gt=0, lt=1, description="share of the train split on which the best checkpoint is chosen"
    )
    test_metrics: bool = Field(True, description="do not measure the finished model on the test split")
    prompt_template: str = Field("{text}", description="what the model reads; must contain {text}")
    max_length: int | None = Field(
        None, ge=2, description="tokens kept of a document (default: what the model takes, 1024 at most)"
    )

    method: Method = Field(
        "lora",
        description="lora: small matrices beside frozen weights; qlora: the same on 4-bit weights; "
        "full: all weights; head: only the last layer",
    )
    lora_rank: int = Field(64, ge=1, description="rank of the LoRA matrices")
    lora_alpha: float = Field(16, gt=0, description="LoRA's scale is alpha / rank")
    lora_dropout: float = Field(0.1, ge=0, lt=1, description="dropout on LoRA's input")
    lora_target_modules: Names = Field(
        (), description="names of the layers that get LoRA (default: every linear layer of the backbone)"
    )
    keep_adapter: bool = Field(False, description="also keep the LoRA adapter by itself, in save_to/adapter")

    probe_first: bool = Field(
        True, description="start with a random last layer, not with one fitted by logistic regression"
    )
    epochs: int = Field(1, ge=1, description="passes over the training documents")
    min_steps: int = Field(
        30, ge=0, description="floor on optimisation steps: little data is passed over more often until it is reached"
    )
    learning_rate: float = Field(
        2e-5, gt=0, description="peak learning rate; 2e-5 suits gpt2 with full, LoRA wants 1e-4 to 1e-3"
    )
    batch_tokens: int = Field(4096, ge=2, description="tokens of a batch, padding included")
    gradient_accumulation: int = Field(1, ge=1, description="batches per optimisation step")
    weight_decay: float = Field(0.05, ge=0, description="AdamW's weight decay")
    max_grad_norm: float = Field(0.3, gt=0, description="gradients are clipped to this norm")
    warmup: float = Field(0.1, ge=0, lt=1, description="share of the steps with rising learning rate; a cosine follows")
    precision: Precision = Field("auto", description="arithmetic of the forward pass; auto: the fastest safe one here")
    seed: int = Field(42, ge=0, lt=2**32, description="of everything random")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if "{text}" not in self.prompt_template:
            raise ValueError(f'--prompt-template {self.prompt_template!r} does not contain "{{text}}"')
        if self.method != "full" and self.base_model.startswith("scratch:"):
            raise ValueError(
                f"--method {self.method} --base-model {self.base_model}: a model made from scratch has no trained "
                "weights worth freezing; use --method full"
            )
        if self.keep_adapter and self.method not in ("lora", "qlora"):
            raise ValueError(f"--keep-adapter: --method {self.method} makes no adapter")
        if self.max_length and self.max_length > self.batch_tokens:
            raise ValueError(
                f"--batch-tokens {self.batch_tokens} cannot hold one document of --max-length {self.max_length}"
            )
        return self

    def recorded(self) -> dict[str, Any]:
        """All settings as JSON values, for the manifest."""
        return self.model_dump(mode="json")

    def decisive(self) -> dict[str, Any]:
        """The settings that change the trained weights."""
        return {key: value for key, value in self.recorded().items() if key not in _WITHOUT_EFFECT}
