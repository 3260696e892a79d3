"""``python -m evals samples``: which documents an evaluation draws."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from evals.settings import Settings
from fixtures.contracts.files import jsonl, write_atomic
from fixtures.contracts.settings import add_options, load_settings

__all__ = ["add_parser", "run"]

FIELDS = ("dataset", "remove", "num_samples", "seed")


def add_parser(commands: Any) -> None:
    """Declare the command."""
    samples = commands.add_parser(
        "samples",
        help="write the ids, categories and text digests that an evaluation draws",
        allow_abbrev=False,
    )
    add_options(samples.add_argument, Settings, only=FIELDS)
    samples.add_argument("--texts", action="store_true", help="write the texts, too")
    samples.add_argument("--output", type=Path, metavar="PATH", help="JSONL file; default: standard output")
    samples.set_defaults(run=run)


def run(options: argparse.Namespace, console: Console) -> int:
    """Draw as ``pytest evals`` does with the same options."""
    from evals.tasks.news import load_documents

    settings, _ = load_settings(Settings, {name: getattr(options, name) for name in FIELDS})
    _, drawn = load_documents(settings, None)
    rows = [
        {"id": document.id, "expected": document.label, "digest": document.digest}
        | ({"text": document.text} if options.texts else {})
        for document in drawn
    ]
    if options.output is None:
        # JSONL for other programs: no console may wrap or colour it.
        sys.stdout.write(jsonl(rows))
    else:
        write_atomic(options.output, jsonl(rows))
    return 0
