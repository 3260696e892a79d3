"""``python -m plans graph``: the lineage of Plans as a picture."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rich.console import Console

from fixtures.contracts.files import write_atomic
from plans.checking.files import read_plans
from plans.graph import mermaid

__all__ = ["add_parser", "run"]


def add_parser(commands: Any) -> None:
    """Declare the command."""
    words = "draw which Data Plans need and leave, in Mermaid, which GitHub shows"
    parser = commands.add_parser("graph", help=words, description=words, allow_abbrev=False)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="Plan (YAML)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="file to write; default: standard output")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, console: Console) -> int:
    """Draw."""
    picture = mermaid(read_plans(options.files))
    if options.out is None:
        console.print(picture, end="")
    else:
        write_atomic(options.out, picture)
    return 0
