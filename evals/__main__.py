"""``python -m evals``: what does not need a test run."""

from __future__ import annotations

import argparse
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
from fixtures.contracts.errors import UserError
from fixtures.contracts.termination import INTERRUPTED, terminable


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; a user's mistake is one line and 2."""
    parser = argparse.ArgumentParser(
        prog="python -m evals",
        description="Judges, verdicts, gates and reports. To evaluate: pytest evals",
        allow_abbrev=False,
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
    try:
        with terminable():
            return int(options.run(options, console))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
