"""``python -m plans``: Plans for Knitfab."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console

from fixtures.contracts.errors import UserError
from plans.commands import check, clean, graph, judge, pipelines, render


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; a user's mistake is one line and 2."""
    parser = argparse.ArgumentParser(
        prog="python -m plans",
        description="Training, evaluation and gate as Plans on Knitfab.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (check, clean, graph, judge, render):
        command.add_parser(commands)
    pipelines.add_parsers(commands)
    options = parser.parse_args(arguments)
    # What is printed is names and texts of others: nothing in it is markup or to be coloured.
    console = Console(markup=False, highlight=False, soft_wrap=True)
    try:
        return int(options.run(options, console))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
