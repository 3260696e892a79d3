"""``python -m evals compare``: what changed from one report to another."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from evals.baselines import STORAGE, find_report
from evals.commands.gate import EXIT_CODES
from evals.settings import GatePolicy
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import write_json

__all__ = ["add_compare_options", "add_parser", "add_storage", "run", "run_comparison"]

_CODES = "exit 0, or with --margin: 0 if it is no worse, 3 if it is worse, 4 if that is undecided"


def add_parser(commands: Any) -> None:
    """Declare the command."""
    words = f"compare two reports on the samples in both; {_CODES}"
    compare = commands.add_parser("compare", help=words, description=words, allow_abbrev=False)
    for name, role in (("A", "report before"), ("B", "report after")):
        compare.add_argument(name.lower(), metavar=name, help=f"{role}: report.json, its folder, or a saved baseline")
    add_compare_options(compare)
    compare.set_defaults(run=run)


def add_compare_options(parser: argparse.ArgumentParser) -> None:
    """Declare what all comparisons take."""
    add_storage(parser)
    confidence = GatePolicy.model_fields["confidence"].default
    parser.add_argument(
        "--confidence",
        type=float,
        default=confidence,
        metavar="X",
        help=f"of the intervals, two-sided, and of --margin's bounds, one-sided (default: {confidence})",
    )
    parser.add_argument("--margin", type=float, metavar="X", help="also say whether it is no worse by more than this")
    parser.add_argument("--all", action="store_true", help="list all samples and categories")
    parser.add_argument("--json", metavar="FILE", help="write everything as JSON; - prints it, and nothing else")


def add_storage(parser: argparse.ArgumentParser) -> None:
    """Declare where baselines are kept."""
    parser.add_argument(
        "--storage",
        type=Path,
        default=STORAGE,
        metavar="PATH",
        help=f"folder of saved baselines (default: {STORAGE})",
    )


def run(options: argparse.Namespace, console: Console) -> int:
    """Compare B with A."""
    paths = find_report(options.a, options.storage), find_report(options.b, options.storage)
    return run_comparison(paths, ("A", "B"), options, console)


def run_comparison(
    paths: tuple[Path, Path], names: tuple[str, str], options: argparse.Namespace, console: Console
) -> int:
    """Compare two reports, the baseline first, and say what comes out; the exit code."""
    if not 0.5 < options.confidence < 1:
        raise UserError(f"--confidence is {options.confidence:g}: must lie between 0.5 and 1")
    if options.margin is not None and not 0 < options.margin < 1:
        raise UserError(f"--margin is {options.margin:g}: must lie between 0 and 1, as 0.02")
    from evals.commands.differences import about, headline, in_words, say, show
    from evals.comparison import compare
    from evals.noninferiority import no_worse
    from evals.reports import read_report

    reports = read_report(paths[0]), read_report(paths[1])
    comparison = compare(*reports, confidence=options.confidence)
    rate, verdict = comparison.pass_rate, None
    if options.margin is not None:
        verdict = no_worse(rate.gained, rate.lost, rate.samples, margin=options.margin, confidence=options.confidence)
    if options.json is not None:
        if any(Path(options.json).resolve() == path.resolve() for path in paths):
            raise UserError(f"--json {options.json} is one of the reports; name another file")
        # By way of pydantic's JSON, which knows no NaN.
        whole = json.loads(comparison.model_dump_json()) | {"no_worse": verdict and verdict._asdict()}
        if options.json == "-":
            # ASCII: bytes that a terminal obeys are escaped, too.
            sys.stdout.write(json.dumps(whole, indent=1) + "\n")
        else:
            write_json(Path(options.json), whole)
    if options.json != "-":
        for name, path, side in zip(names, paths, (comparison.baseline, comparison.new), strict=True):
            say(console, about(name, path, side))
        say(console, headline(comparison, names))
        if verdict is not None:
            say(console, in_words(verdict, names))
        show(comparison, names, console, everything=options.all)
    return EXIT_CODES[verdict.outcome] if verdict is not None else 0
