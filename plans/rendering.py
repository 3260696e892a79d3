"""Our Plans, and the judge's server beside them, filled in for one Knitfab."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from fixtures.contracts.errors import UserError
from fixtures.contracts.files import write_atomic
from plans.checking.check import check_texts
from plans.settings import JudgeSettings, RenderSettings

__all__ = ["TEMPLATES", "render", "render_judge", "write_judge", "write_plans"]

TEMPLATES = ("train.yaml", "evaluate.yaml", "evaluate-shard.yaml", "gate.yaml")


def render(settings: RenderSettings) -> dict[str, str]:
    """Our Plans by file name.

    Raises UserError for settings with which Knitfab would not do what is meant.
    """
    values = settings.model_dump(include=set(RenderSettings.model_fields) - {"out"})
    plans = {name: _filled(name, values) for name in TEMPLATES}
    for answer in check_texts([(Path(name), text) for name, text in plans.items()]):
        if answer.rule:
            raise UserError(f"with these settings, Knitfab would refuse {answer.file}: {answer.message}")
        for warning in answer.warnings:
            raise UserError(f"with these settings, {answer.file} could not work: {warning.message}")
    return plans


def render_judge(settings: JudgeSettings) -> str:
    """The Kubernetes manifest of a judge's server."""
    return _filled(f"kubernetes/{settings.judge_server}.yaml", settings.model_dump(exclude={"out"}))


def _filled(template: str, values: Mapping[str, Any]) -> str:
    environment = Environment(
        loader=PackageLoader("plans", "templates"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        # YAML has no markup to escape; each setting is checked to be plain.
        autoescape=False,
    )
    return environment.get_template(template).render(values)


def write_plans(settings: RenderSettings) -> list[Path]:
    """Write our Plans to the folder of the settings; returns the files."""
    files = []
    for name, text in render(settings).items():
        files.append(settings.out / name)
        write_atomic(files[-1], text)
    return files


def write_judge(settings: JudgeSettings) -> Path:
    """Write the manifest of a judge's server to the folder of the settings; returns the file."""
    file = settings.out / f"{settings.judge_server}.yaml"
    write_atomic(file, render_judge(settings))
    return file
