"""``python -m evals``: what does not need a test run."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console

from evals.commands import (
    baseline,
    calibrate,
    compare,
    duel,
    gate,
    history,
    judge,
    label,
    merge,
    power,
    report,
    samples,
    trying,
    verdicts,
)
from fixtures.contracts.ending import ended
from fixtures.contracts.parser import Parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; a user's mistake is one line and 2."""
    return ended(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    parser = Parser(
        prog="python -m evals", description="Judges, verdicts, gates and reports. To evaluate: pytest evals"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (
        baseline,
        calibrate,
        compare,
        duel,
        gate,
        history,
        judge,
        label,
        merge,
        power,
        report,
        samples,
        trying,
        verdicts,
    ):
        command.add_parser(commands)
    options = parser.parse_args(arguments)
    # What is printed is names, texts and figures of others: nothing in it is markup or to be coloured.
    console = Console(markup=False, highlight=False, soft_wrap=True)
    return int(options.run(options, console))


if __name__ == "__main__":
    sys.exit(main())
