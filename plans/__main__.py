"""``python -m plans``: Plans for Knitfab."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console

from fixtures.contracts.ending import ended
from fixtures.contracts.parser import Parser
from plans.commands import check, clean, graph, judge, pipelines, render


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; a user's mistake is one line and 2."""
    return ended(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    parser = Parser(prog="python -m plans", description="Training, evaluation and gate as Plans on Knitfab.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (check, clean, graph, judge, render):
        command.add_parser(commands)
    pipelines.add_parsers(commands)
    options = parser.parse_args(arguments)
    # What is printed is names and texts of others: nothing in it is markup or to be coloured.
    console = Console(markup=False, highlight=False, soft_wrap=True)
    return int(options.run(options, console))


if __name__ == "__main__":
    sys.exit(main())
