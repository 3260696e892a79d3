"""``python -m plans render``: our Plans, filled in."""

from __future__ import annotations

import argparse
from typing import Any

from rich.console import Console

from fixtures.contracts.settings import add_options, load_settings
from plans.rendering import write_plans
from plans.settings import AllSettings, RenderSettings

__all__ = ["add_parser", "run"]


def add_parser(commands: Any) -> None:
    """Declare the command."""
    words = "write the Plans of training, evaluation and gate for one registry, version and project"
    parser = commands.add_parser(
        "render",
        help=words,
        description=words,
        epilog="Every setting may also stand in the environment as PLANS_<NAME>.",
        allow_abbrev=False,
    )
    add_options(parser.add_argument, RenderSettings)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, console: Console) -> int:
    """Write the Plans, and name the files."""
    given = {name: getattr(options, name) for name in RenderSettings.model_fields}
    settings, _ = load_settings(RenderSettings, given, whole=AllSettings)
    for file in write_plans(settings):
        console.print(str(file))
    return 0
