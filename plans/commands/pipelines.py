"""``python -m plans run`` and ``local``: the whole pipeline, on Knitfab or in a folder."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

from rich.console import Console

from fixtures.contracts.settings import add_options, load_settings
from plans.driving import drive
from plans.knit import KnitPlatform
from plans.local import LocalPlatform
from plans.local.execution import ENGINES
from plans.pipeline import pipeline
from plans.platform import Platform, PlatformError
from plans.settings import AllSettings, LocalSettings, PipelineSettings, RunSettings

__all__ = ["add_parsers"]

EXIT_CODES = {"pass": 0, "fail": 3, "inconclusive": 4}
"""As `python -m evals gate` has them; every other outcome is an incomplete report, 5."""


def add_parsers(commands: Any) -> None:
    """Declare both commands."""
    codes = "exit 0 pass, 3 fail, 4 inconclusive, 5 incomplete, 1 a Run failed, 2 a mistake in the settings"
    for name, words, settings, platform in (
        ("run", "run the pipeline on Knitfab, from Plans to a verdict", RunSettings, _knit),
        ("local", "run the pipeline on this machine as Knitfab would, in a folder", LocalSettings, _local),
    ):
        parser = commands.add_parser(
            name,
            help=f"{words}: {codes}",
            description=f"{words[0].upper()}{words[1:]}; {codes}.",
            epilog="Every setting may also stand in the environment as PLANS_<NAME>. "
            "The same command again goes on where an earlier one was interrupted.",
            allow_abbrev=False,
        )
        add_options(parser.add_argument, settings)
        parser.set_defaults(run=lambda options, console, s=settings, p=platform: _run(options, console, s, p))


def _knit(settings: RunSettings, console: Console) -> Platform:
    return KnitPlatform(
        settings.knit, poll_seconds=settings.poll_seconds, give_up_seconds=settings.give_up_seconds, say=console.print
    )


def _local(settings: LocalSettings, console: Console) -> Platform:
    return LocalPlatform(settings.folder, ENGINES[settings.engine], console.print)


def _run(
    options: argparse.Namespace,
    console: Console,
    model: type[PipelineSettings],
    platform: Callable[[Any, Console], Platform],
) -> int:
    settings, _ = load_settings(model, {name: getattr(options, name) for name in model.model_fields}, whole=AllSettings)
    try:
        folder = drive(pipeline(settings), platform(settings, console), settings, console)
    except PlatformError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    try:
        gate = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))["gate"]
        outcome, sentence = gate["outcome"], gate["sentence"]
    except (OSError, ValueError, KeyError) as error:
        print(f"error: {folder / 'verdict.json'}: no verdict in it: {error}", file=sys.stderr)
        return 1
    console.print(f"report:  {settings.out / 'report'}\nverdict: {folder}\n{sentence}")
    return EXIT_CODES.get(outcome, 5)
