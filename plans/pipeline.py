"""The pipeline of our Plans: train, evaluate, gate."""

from __future__ import annotations

from typing import NamedTuple

from plans.knitfab.server import accept
from plans.knitfab.source import read_plan
from plans.knitfab.spec import PlanSpec
from plans.rendering import render
from plans.settings import PipelineSettings

__all__ = ["Pipeline", "Stage", "pipeline"]


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
