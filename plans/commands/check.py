"""``python -m plans check``: what Knitfab would say of Plans."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console

from fixtures.contracts.files import printable
from plans.checking.check import Checked, check
from plans.knitfab.rules import RULES

__all__ = ["add_parser", "run"]

INVALID = 3


def add_parser(commands: Any) -> None:
    """Declare the command."""
    words = "say what Knitfab v1.6 would answer to Plans, and warn of what it accepts without a word"
    parser = commands.add_parser(
        "check",
        help=words,
        description=words,
        epilog="Each file is checked as if those before it were registered. "
        "Exits with 0 if all are valid, 3 if some are not, 2 if a file cannot be read.",
        allow_abbrev=False,
    )
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="Plan (YAML)")
    parser.add_argument(
        "--registered",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="Plan that exists already; may be given again",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, console: Console) -> int:
    """Check, and print an answer for each file."""
    answers = check(options.files, options.registered)
    if options.format == "json":
        print(json.dumps([answer.as_json() for answer in answers], indent=2))
    else:
        for answer in answers:
            for line in _in_words(answer):
                console.print(printable(line))
    return INVALID if any(answer.verdict == "invalid" for answer in answers) else 0


def _in_words(answer: Checked) -> list[str]:
    lines = []
    if answer.rule is None or answer.message is None:
        lines.append(f"{answer.file}: valid")
    else:
        who = "knit, which sends nothing" if answer.stage == "cli" else f"the server with status {answer.status}"
        lines.append(f"{answer.file}:{answer.line}: refused by {who} [{answer.rule}]")
        lines.append(f"  {RULES[answer.rule].meaning}")
        if answer.hint:
            lines.append(f"  {answer.hint}")
        # A server tells everything twice: as an advice and as its cause.
        lines += [f"  Knitfab: {line.strip()}" for line in answer.message.split("\n caused by:")[-1].splitlines()]
    lines += [
        f"{answer.file}:{warning.line}: warning: {warning.message} [{warning.name}]" for warning in answer.warnings
    ]
    return lines
