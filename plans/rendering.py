"""Our Plans, filled in for one registry, version and project."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from fixtures.contracts.errors import UserError
from fixtures.contracts.files import write_atomic
from plans.checking.check import check_texts
from plans.settings import RenderSettings

__all__ = ["TEMPLATES", "render", "write_plans"]

TEMPLATES = ("train.yaml", "evaluate.yaml", "evaluate-shard.yaml", "gate.yaml")


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
