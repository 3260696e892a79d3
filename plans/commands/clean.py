"""``python -m plans clean``: remove a project from Knitfab."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from rich.console import Console

from fixtures.contracts.settings import add_options, load_settings
from plans.cleaning import plan_cleaning
from plans.knit.command import Knit
from plans.knit.project import Project
from plans.platform import PlatformError
from plans.settings import AllSettings, CleanSettings

__all__ = ["add_parser", "run"]


def add_parser(commands: Any) -> None:
    """Declare the command."""
    words = "deactivate the Plans of a project on Knitfab and remove its Runs and Data; shows what, unless --yes"
    parser = commands.add_parser("clean", help=words, description=words, allow_abbrev=False)
    add_options(parser.add_argument, CleanSettings)
    parser.add_argument("--yes", action="store_true", help="do it; what is removed cannot be brought back")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, console: Console) -> int:
    """Show, or do, what there is to do; 1 if Knitfab does not let it be done."""
    given = {name: getattr(options, name) for name in CleanSettings.model_fields}
    settings, _ = load_settings(CleanSettings, given, whole=AllSettings)
    project = Project(Knit(settings.knit, give_up_seconds=settings.give_up_seconds), settings.project)
    try:
        plans = project.active_plans()
        cleaning = plan_cleaning(project.leftovers())
        for plan_id, image in plans.items():
            console.print(f"deactivate Plan {plan_id} ({image})")
            if options.yes:
                project.deactivate(plan_id)
        for run in cleaning.remove:
            console.print(f"remove Run {run.id} ({run.what}, {run.status})")
            if options.yes:
                project.remove(run.id)
    except PlatformError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for run, reason in cleaning.stay.items():
        console.print(f"keep Run {run.id} ({run.what}): {reason}")
    if not options.yes and (plans or cleaning.remove):
        console.print(f"nothing was done; --yes does it: {len(plans)} Plans and {len(cleaning.remove)} Runs")
    elif not (plans or cleaning.remove or cleaning.stay):
        console.print(f"there is nothing of the project {settings.project}")
    return 0
