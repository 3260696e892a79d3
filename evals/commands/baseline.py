"""``python -m evals baseline``: keep reports, and compare later ones with them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from evals.baselines import find_report, list_baselines, report_file, save_baseline
from evals.commands.compare import add_compare_options, add_storage, run_comparison
from fixtures.contracts.errors import UserError

__all__ = ["add_parser", "run_compare", "run_list", "run_save"]


def add_parser(commands: Any) -> None:
    """Declare the commands."""
    baseline = commands.add_parser("baseline", help="save reports, list them, compare with them", allow_abbrev=False)
    actions = baseline.add_subparsers(required=True, metavar="ACTION")

    save = _add(actions, "save", run_save, "keep a report to compare later ones with")
    save.add_argument("report", type=Path, metavar="REPORT", help="report.json of an evaluation, or its folder")
    save.add_argument("--name", default="", metavar="TEXT", help="name to find it by, beside its number")
    add_storage(save)

    add_storage(_add(actions, "list", run_list, "show the saved reports"))

    compare = _add(actions, "compare", run_compare, "compare a report with a saved one")
    compare.add_argument("report", type=Path, metavar="REPORT", help="report.json of an evaluation, or its folder")
    compare.add_argument(
        "baseline",
        nargs="?",
        default="latest",
        metavar="BASELINE",
        help="number, name or file of a baseline, or any report (default: latest)",
    )
    add_compare_options(compare)


def _add(actions: Any, name: str, run: Any, words: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=words, description=words, allow_abbrev=False)
    parser.set_defaults(run=run)
    return parser


def run_save(options: argparse.Namespace, console: Console) -> int:
    """Keep a report."""
    from evals.commands.differences import say
    from evals.reports import read_report

    path = report_file(options.report)
    saved = save_baseline(read_report(path), options.storage, name=options.name)
    say(console, f"saved {path} as {saved.path}")
    return 0


def run_list(options: argparse.Namespace, console: Console) -> int:
    """One line for each saved report; one that cannot be read is shown as such."""
    from evals.commands.differences import cell, say, table
    from evals.reports import read_report

    saved = list_baselines(options.storage)
    if not saved:
        say(console, f"no baseline in {options.storage}; `python -m evals baseline save REPORT` saves one")
        return 0
    rows = table(
        "baseline", "saved (UTC)", "model", "judge", "pass rate", "n", "gate", texts=["baseline", "model", "judge"]
    )
    problems = []
    for baseline in saved:
        known = f"{baseline.number:04}\n{baseline.name}", f"{baseline.saved[:-3]}\n{baseline.commit}"
        try:
            report = read_report(baseline.path)
        except UserError as error:
            rows.add_row(*map(Text, (*known, "damaged")))
            problems.append(str(error))
            continue
        rate, model = report.pass_rate, report.model
        known_rate = rate.rate is not None and rate.low is not None and rate.high is not None
        shown = f"{rate.rate:.1%}\n{rate.low:.1%} to {rate.high:.1%}" if known_rate else "-"
        what = f"{cell(model.digest[:8])}\n{cell(model.base_model or model.source)}"
        told = what, cell(report.judge.spec), shown, f"{report.tally.scored}", report.gate.outcome
        rows.add_row(*map(Text, known + told))
    console.print(rows, soft_wrap=False)
    for problem in problems:
        say(console, f"damaged: {problem}")
    return 0


def run_compare(options: argparse.Namespace, console: Console) -> int:
    """Compare a report with a saved one."""
    paths = find_report(options.baseline, options.storage), report_file(options.report)
    return run_comparison(paths, ("the baseline", "this report"), options, console)
