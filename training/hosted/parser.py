"""The command line of ``python -m training hosted``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic_settings import BaseSettings

from fixtures.contracts.settings import add_options, load_settings
from training.hosted import settings as models

__all__ = ["add_hosted"]

_COMMANDS: dict[str, tuple[type[BaseSettings], str, str]] = {
    "check": (models.CheckSettings, "check.check", "check the data by OpenAI's rules, count tokens, estimate the cost"),
    "upload": (models.UploadSettings, "uploads.upload", "upload files, each of them once"),
    "create": (models.CreateSettings, "create.create", "start a job; files that are not there yet are uploaded"),
    "watch": (models.WatchSettings, "watch.watch", "show a job's events until it ends"),
    "results": (models.ResultsSettings, "results.results", "fetch a job's result file, curves and checkpoints"),
    "list": (models.ListSettings, "jobs.list_jobs", "list the newest jobs"),
    "cancel": (models.JobSettings, "jobs.cancel", "cancel a job"),
    "record": (models.RecordSettings, "record.record", "keep a model's answers while it still answers"),
}


def add_hosted(commands: Any) -> None:
    """Add ``hosted`` and its own commands to ``commands``, as ``add_subparsers`` returned them."""
    hosted = commands.add_parser(
        "hosted",
        help="fine-tune at OpenAI or Azure OpenAI, and take the answers along when it closes",
        description="Fine-tune at OpenAI, or by --base-url at Azure OpenAI. OpenAI closes self-serve fine-tuning on "
        "2027-01-06: docs/leaving-hosted.md. The key stands in OPENAI_API_KEY or AZURE_OPENAI_API_KEY.",
        allow_abbrev=False,
    )
    parsers = hosted.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, (model, _, words) in _COMMANDS.items():
        description = f"{words[0].upper()}{words[1:]}."
        parser = parsers.add_parser(name, help=words, description=description, allow_abbrev=False)
        _add_settings(parser, name, model)
        parser.set_defaults(command=_runner(name))


def _add_settings(parser: argparse.ArgumentParser, name: str, model: type[BaseSettings]) -> None:
    """Options for all settings, but for the one named by its place, and ``--data``, which may be repeated."""
    fields = model.model_fields
    place = {"upload": "files", "record": "model"}.get(name, "job")
    if place in fields:
        words = fields[place].description
        parser.add_argument(place, nargs="+" if place == "files" else None, metavar=place.upper(), help=words)
    if "data" in fields:
        parser.add_argument("--data", action="append", metavar="FILE", help=fields["data"].description)
    add_options(parser.add_argument, model, only=fields.keys() - {place, "data"})


def _runner(name: str) -> Callable[[dict[str, Any]], int]:
    def run(options: dict[str, Any]) -> int:
        from rich.console import Console

        from training.hosted.notice import show_notice

        model, place, _ = _COMMANDS[name]
        file = options.get("config_file")
        settings, notes = load_settings(model, options, config_file=Path(file) if file else None)
        console = Console(highlight=False, soft_wrap=True)
        # Beside what a command says, not in it: who pipes the output reads it all the same.
        show_notice(Console(highlight=False, soft_wrap=True, stderr=True))
        for note in notes:
            console.print(f"note: {note}", markup=False)
        module, function = place.split(".")
        # Imported late: the SDK takes its time.
        getattr(import_module(f"training.hosted.{module}"), function)(settings, console)
        return 0

    return run
