"""The pipeline of our Plans: train, evaluate, gate."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from plans.knitfab.server import accept
from plans.knitfab.source import read_plan
from plans.knitfab.spec import PlanSpec
from plans.rendering import RenderSettings, render

__all__ = ["Pipeline", "PipelineSettings", "Stage", "pipeline"]


class PipelineSettings(RenderSettings):
    """What is run, with which Data, and how long is waited for it."""

    model_config = SettingsConfigDict(env_prefix="PLANS_", extra="forbid", frozen=True)

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


class Stage(NamedTuple):
    """A Plan as text and as what Knitfab makes of it."""

    text: str
    spec: PlanSpec


Pipeline = dict[str, Stage]
"""The Plans by the name of what they do: train, evaluate, gate."""


def pipeline(settings: PipelineSettings) -> Pipeline:
    """Our Plans for these settings. Raises UserError for settings with which they could not work."""
    plans = render(settings)
    evaluate = "evaluate.yaml" if settings.shards == 1 else "evaluate-shard.yaml"
    files = {"train": "train.yaml", "evaluate": evaluate, "gate": "gate.yaml"}
    return {name: _stage(plans[file]) for name, file in files.items()}


def _stage(text: str) -> Stage:
    return Stage(text, accept(read_plan(text).request, []))
