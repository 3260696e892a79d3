"""``python -m evals history``: the pass rate over many reports."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from fixtures.contracts.errors import UserError
from fixtures.contracts.files import printable, write_atomic

if TYPE_CHECKING:
    from evals.history import Entry

__all__ = ["add_parser", "run"]

_REASON = 160
"""Characters of what is said of a difference."""


def add_parser(commands: Any) -> None:
    """Declare the command."""
    words = "show the pass rate of all reports in a folder over time"
    history = commands.add_parser("history", help=words, description=words, allow_abbrev=False)
    history.add_argument(
        "folder",
        type=Path,
        metavar="DIR",
        help="folder with reports at any depth: report.json, report-*.json, saved baselines",
    )
    history.add_argument("--html", type=Path, metavar="FILE", help="write a page with a chart, too")
    history.set_defaults(run=run)


def run(options: argparse.Namespace, console: Console) -> int:
    """One line for each report, oldest first; a file that is none is named and passed over."""
    from evals.commands.differences import cell, say, table
    from evals.history import read_history

    history = read_history(options.folder)
    if history.entries:
        rows = table(
            "finished (UTC)", "model", "judge", "pass rate", "n", "gate", "against the last of its kind",
            texts=["model", "judge", "gate", "against the last of its kind"],
        )  # fmt: skip
        for entry in history.entries:
            rows.add_row(*(Text("\n".join(map(cell, lines))) for lines in _lines(entry)), Text(_against(entry)))
        console.print(rows, soft_wrap=False)
    else:
        say(console, f"no report in {options.folder}")
    if history.measures > 1:
        kinds = f"{history.measures} kinds of judge, metric, threshold or data"
        say(console, f"{kinds}: reports are compared within a kind only")
    for unread in history.unread:
        say(console, f"not read: {' '.join(unread.problem.split())}")
    if options.html is not None:
        from evals.reports.html.history import history_page

        files = [entry.path for entry in history.entries] + [unread.path for unread in history.unread]
        if any(path.resolve() == options.html.resolve() for path in files) or options.html.is_dir():
            raise UserError(f"--html {options.html} is a folder or one of the reports; name another file")
        write_atomic(options.html, history_page(history))
    return 0


def _lines(entry: Entry) -> list[list[str]]:
    """What stands in each column but the last, line by line."""
    report, rate = entry.report, entry.report.pass_rate
    when = f"{entry.when:%Y-%m-%d %H:%M}" if entry.when else "unknown"
    known = [part for part in (entry.commit, entry.name) if part]
    shown = ["-"]
    if rate.rate is not None and rate.low is not None and rate.high is not None:
        shown = [f"{rate.rate:.1%}", f"{rate.low:.1%} to {rate.high:.1%}"]
    model = [report.model.digest[:8], report.model.base_model or report.model.source]
    return [[when, *known], model, [report.judge.spec], shown, [f"{report.tally.scored}"], [report.gate.outcome]]


def _against(entry: Entry) -> str:
    from evals.reports.html.history import against

    text = " ".join(printable(against(entry)).split())
    return text if len(text) <= _REASON else text[: _REASON - 1] + "…"
