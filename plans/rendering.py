"""Our Plans, filled in for one registry, version and project."""

from __future__ import annotations

import re
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from fixtures.contracts.errors import UserError
from fixtures.contracts.files import write_atomic
from plans.checking.check import check_texts
from plans.knitfab.image import complete_image
from plans.knitfab.quantity import parse_quantity

__all__ = ["TEMPLATES", "RenderSettings", "render", "write_plans"]

TEMPLATES = ("train.yaml", "evaluate.yaml", "evaluate-shard.yaml", "gate.yaml")

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


def render(settings: RenderSettings) -> dict[str, str]:
    """Our Plans by file name.

    Raises UserError for settings with which Knitfab would not do what is meant.
    """
    environment = Environment(
        loader=PackageLoader("plans", "templates"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        # YAML has no markup to escape; each setting is checked to be plain.
        autoescape=False,
    )
    values = settings.model_dump(include=set(RenderSettings.model_fields) - {"out"})
    plans = {name: environment.get_template(name).render(values) for name in TEMPLATES}
    for answer in check_texts([(Path(name), text) for name, text in plans.items()]):
        if answer.rule:
            raise UserError(f"with these settings, Knitfab would refuse {answer.file}: {answer.message}")
        for warning in answer.warnings:
            raise UserError(f"with these settings, {answer.file} could not work: {warning.message}")
    return plans


def write_plans(settings: RenderSettings) -> list[Path]:
    """Write our Plans to the folder of the settings; returns the files."""
    files = []
    for name, text in render(settings).items():
        files.append(settings.out / name)
        write_atomic(files[-1], text)
    return files
