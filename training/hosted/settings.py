"""The settings of ``python -m training hosted ...``: each default stated once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

__all__ = [
    "CheckSettings",
    "CreateSettings",
    "JobSettings",
    "ListSettings",
    "RecordSettings",
    "ResultsSettings",
    "ServiceSettings",
    "UploadSettings",
    "WatchSettings",
]

OPENAI_URL = "https://api.openai.com/v1"


def _no_auto(value: Any) -> Any:
    return None if value == "auto" else value


Epochs = Annotated[Annotated[int, Field(ge=1, le=50)] | None, BeforeValidator(_no_auto)]
BatchSize = Annotated[Annotated[int, Field(ge=1, le=256)] | None, BeforeValidator(_no_auto)]
Multiplier = Annotated[Annotated[float, Field(gt=0)] | None, BeforeValidator(_no_auto)]


def _files(value: Any) -> Any:
    """One file, or several separated by commas, as a config file or the environment may give them."""
    return tuple(part for part in value.split(",") if part) if isinstance(value, str) else value


Files = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_files)]


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="TRAINING_", extra="forbid", frozen=True)

    config_file: Path | None = Field(None, description="JSON file with any of these settings; wins over all else")


class CheckSettings(_Settings):
    """What is checked, and what a token costs."""

    train_file: Path | None = Field(
        None, description='conversations to learn, JSON Lines of {"messages": [...]}; must be given'
    )
    eval_file: Path | None = Field(None, description="conversations to validate on")
    n_epochs: Epochs = Field(None, description="passes over the train file, or auto (the default)")
    price_per_million: float | None = Field(
        None, ge=0, description="price of a million training tokens, to tell what the job will cost"
    )
    max_tokens: int = Field(65536, ge=1, description="tokens that the model takes of one example")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.train_file is None:
            raise ValueError("--train-file is missing: which conversations are to be learned?")
        return self


class ServiceSettings(_Settings):
    """Which service is asked, and how patiently. The key stands in the environment alone."""

    save_to: Path = Field(Path("./out/hosted"), description="folder for what is known of uploads, jobs and answers")
    base_url: str = Field(
        "",
        description="the API up to and with /v1, for Azure OpenAI https://RESOURCE.openai.azure.com/openai/v1 "
        f"(default: OPENAI_BASE_URL, or {OPENAI_URL})",
    )
    timeout_seconds: float = Field(120, gt=0, description="how long to wait for one answer of the API")
    max_retries: int = Field(5, ge=0, le=20, description="how often a request is repeated after 429, 5xx and time-outs")

    @property
    def url(self) -> str:
        """The base URL that counts."""
        return (self.base_url or os.environ.get("OPENAI_BASE_URL", "").strip() or OPENAI_URL).rstrip("/")


class UploadSettings(ServiceSettings):
    """What is uploaded."""

    files: Files = Field((), description="files of conversations")
    max_tokens: int = Field(65536, ge=1, description="tokens that the model takes of one example")


class CreateSettings(ServiceSettings):
    """A job. Hyperparameters that are not given are the service's to choose."""

    model: str = Field("", description="model to fine-tune: a base model or a fine-tuned one; must be given")
    train_file: str = Field("", description="conversations to learn, or the id of an uploaded file; must be given")
    eval_file: str = Field("", description="conversations to validate on, or the id of an uploaded file")
    n_epochs: Epochs = Field(None, description="passes over the train file, or auto (the default)")
    batch_size: BatchSize = Field(None, description="examples of a step, or auto (the default)")
    learning_rate_multiplier: Multiplier = Field(
        None, description="factor on the service's own learning rate, or auto (the default)"
    )
    suffix: str | None = Field(None, min_length=1, max_length=64, description="part of the new model's name")
    seed: int | None = Field(None, ge=0, lt=2**31, description="of the job (default: the service chooses one)")
    max_tokens: int = Field(65536, ge=1, description="tokens that the model takes of one example")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.model:
            raise ValueError("--model is missing: which model is to be fine-tuned?")
        if not self.train_file:
            raise ValueError("--train-file is missing: which conversations are to be learned?")
        return self


class JobSettings(ServiceSettings):
    """One job, by its id."""

    job: str = Field(pattern=r"^[\w\-]+$", description="the job's id, as `hosted list` shows it")


class WatchSettings(JobSettings):
    """How a job is watched."""

    poll_seconds: float = Field(10, gt=0, description="time between two looks")
    patience_seconds: float = Field(1800, ge=0, description="how long the service may be out of reach before giving up")


class ResultsSettings(JobSettings):
    """How long a result file is waited for."""

    poll_seconds: float = Field(5, gt=0, description="time between two looks for a result file that is not there yet")
    patience_seconds: float = Field(60, ge=0, description="how long to wait for it; then the events' figures will do")


class ListSettings(ServiceSettings):
    """How much is listed."""

    limit: int = Field(20, ge=1, description="the newest so many jobs")


class RecordSettings(ServiceSettings):
    """Whose answers are recorded, to what, and how they are drawn."""

    model: str = Field(min_length=1, description="the fine-tuned model, a checkpoint, or a deployment at Azure")
    data: Files = Field((), description="conversations whose rows are asked; may be given several times")
    save_to: Path = Field(Path("./out/recorded"), description="gets a folder for each data file")
    job: str | None = Field(
        None, pattern=r"^[\w\-]+$", description="the job that made the model (default: found by the model's name)"
    )
    temperature: float = Field(0, ge=0, le=2, description="0: the likeliest answer")
    seed: int = Field(42, ge=0, lt=2**31, description="of the sampling, as far as the service heeds it")
    max_tokens: int | None = Field(None, ge=1, description="tokens of an answer (default: the model's limit)")
    concurrency: int = Field(4, ge=1, le=64, description="questions under way at a time")

    @model_validator(mode="after")
    def _some_data(self) -> Self:
        if not self.data:
            raise ValueError("--data is missing: which conversations shall be asked?")
        stems = [path.stem for path in self.data]
        for stem in stems:
            if stems.count(stem) > 1:
                raise ValueError(f"--data: two files are called {stem}; their answers would share a folder")
        return self
