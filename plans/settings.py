"""Settings of the commands about Plans. All are read from the environment as PLANS_<NAME>, too."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from plans.knitfab.image import complete_image
from plans.knitfab.quantity import parse_quantity

__all__ = [
    "AllSettings",
    "CleanSettings",
    "JudgeSettings",
    "KnitSettings",
    "LocalSettings",
    "PipelineSettings",
    "RenderSettings",
    "RunSettings",
]

# What is filled into YAML and tags has no quotes, colons or blanks.
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


class RenderSettings(BaseSettings):
    """What differs from one Knitfab to another."""

    model_config = SettingsConfigDict(env_prefix="PLANS_", extra="forbid", frozen=True)

    registry: str = Field("localhost:30503", description="registry of the images, as Knitfab's nodes reach it")
    tag: str = Field("v1.0", description="version of the images; not latest")
    project: str = Field("news-classification", description="value of the tag project: of all Data")
    gpus: int = Field(1, ge=0, le=64, description="GPUs of training and evaluation; 0 asks for none")
    cpu: str = Field("1", description="CPUs of training and evaluation")
    memory: str = Field("10Gi", description="memory of training and evaluation")
    out: Path = Field(Path("./out/plans"), description="folder for the Plans")

    @field_validator("registry")
    @classmethod
    def _is_a_registry(cls, value: str) -> str:
        if complete_image(f"{value}/newsjudge-train:v1") != f"{value}/newsjudge-train:v1":
            raise ValueError("must be a registry, such as localhost:30503, or a folder of one")
        return value

    @field_validator("tag")
    @classmethod
    def _is_a_version(cls, value: str) -> str:
        if value == "latest":
            raise ValueError("says nothing of what runs; name a version")
        if complete_image(f"newsjudge:{value}") != f"newsjudge:{value}":
            raise ValueError("must be a tag of an image, such as v1.0")
        return value

    @field_validator("project")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        if not _NAME.fullmatch(value):
            raise ValueError("must consist of letters, digits, dots, dashes and underscores")
        return value

    @field_validator("cpu", "memory")
    @classmethod
    def _is_an_amount(cls, value: str) -> str:
        return parse_quantity(value).text


class PipelineSettings(RenderSettings):
    """What is run, with which Data, and how long is waited for it."""

    out: Path = Field(Path("./out/pipeline"), description="folder for the report and the verdict")
    configs: Path = Field(
        Path(__file__).parent / "configs",
        description="folder with train.json, evaluate.json and policy.json",
    )
    dataset: Path = Field(
        Path("./out/dataset"), description="folder with train.jsonl and test.jsonl, as `python -m training data` makes"
    )
    shards: int = Field(1, ge=1, le=1000, description="parts in which the samples are evaluated, each by a Run")
    retries: int = Field(1, ge=0, le=100, description="times a failed Run is started again")
    timeout_minutes: float = Field(1440, gt=0, description="after which waiting ends; the Runs go on")
    patience_minutes: float = Field(5, gt=0, description="without change, after which a hint is given")


class KnitSettings(BaseSettings):
    """How Knitfab is spoken to."""

    model_config = SettingsConfigDict(env_prefix="PLANS_", extra="forbid", frozen=True)

    knit: str = Field("knit", description="the command line of Knitfab")
    give_up_seconds: float = Field(300, gt=0, description="for which a command that fails is tried again")


class RunSettings(KnitSettings, PipelineSettings):
    """The pipeline on Knitfab."""

    poll_seconds: float = Field(10, gt=0, description="between two looks at the Runs")


class CleanSettings(KnitSettings):
    """Whose Runs and Data are removed."""

    project: str = Field("news-classification", description="value of the tag project: of all Data")


class LocalSettings(PipelineSettings):
    """The pipeline in a folder."""

    folder: Path = Field(Path("./out/knitfab"), description="folder that keeps Data and Runs in place of Knitfab")
    engine: Literal["processes", "docker", "podman", "buildah"] = Field(
        "processes", description="what executes Runs: processes of this Python, or the images by an engine"
    )


class JudgeSettings(BaseSettings):
    """A judge's server in Knitfab's cluster."""

    model_config = SettingsConfigDict(env_prefix="PLANS_", extra="forbid", frozen=True)

    judge_server: Literal["ollama", "vllm"] = Field("ollama", description="vllm is one of the OpenAI-compatible ones")
    judge_model: str = Field("llama3.2", description="name of the model, as the server pulls it")
    judge_namespace: str = Field("judge", description="namespace of the server; Knitfab's own is possible, too")
    judge_memory: str = Field("5Gi", description="memory of the server")
    judge_gpus: int = Field(1, ge=0, le=64, description="GPUs of the server; 0 for Ollama asks for none")
    knitfab_namespace: str = Field("knitfab", description="namespace of the Runs, which alone may ask the judge")
    out: Path = Field(Path("./out/kubernetes"), description="folder for the manifest")

    @field_validator("judge_namespace", "knitfab_namespace")
    @classmethod
    def _is_a_label(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", value):
            raise ValueError("must be a name in Kubernetes: lower-case letters, digits and dashes, 63 at most")
        return value

    @field_validator("judge_model")
    @classmethod
    def _is_a_model(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:/-]*", value):
            raise ValueError("must be a model's name, such as llama3.2 or Qwen/Qwen2.5-7B-Instruct")
        return value

    @field_validator("judge_memory")
    @classmethod
    def _is_an_amount_of_memory(cls, value: str) -> str:
        return parse_quantity(value).text

    @model_validator(mode="after")
    def _vllm_has_a_gpu(self) -> JudgeSettings:
        if self.judge_server == "vllm" and not self.judge_gpus:
            raise ValueError("--judge-server vllm needs --judge-gpus 1 or more; its image has no other kernels")
        return self


class AllSettings(RunSettings, LocalSettings, JudgeSettings):
    """What the environment may name, whichever command reads it."""
