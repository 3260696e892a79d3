"""``python -m evals report``: make any projection of a report again."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from evals.commands.options import open_report
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import write_atomic

__all__ = ["FORMATS", "add_parser", "run"]

FORMATS = ("html", "markdown", "junit", "deepeval", "csv")
_ONLY_FOR = {"max_bytes": "markdown", "junit_family": "junit", "bom": "csv"}


def add_parser(commands: Any) -> None:
    """Declare the command."""
    words = "make a page, summary, test report or table from a report"
    report = commands.add_parser("report", help=words, description=words, allow_abbrev=False)
    report.add_argument("report", type=Path, metavar="REPORT", help="report.json of an evaluation, or its folder")
    report.add_argument(
        "--to",
        required=True,
        choices=FORMATS,
        help="html: the page; markdown: the summary; junit: JUnit XML; deepeval: an EvaluationResult of DeepEval; "
        "csv: the samples",
    )
    report.add_argument("--output", type=Path, metavar="FILE", help="file to write; default: standard output")
    report.add_argument(
        "--max-bytes",
        type=int,
        metavar="N",
        help="markdown: leave out whole blocks to stay within N bytes; 65535 fits a comment on GitHub "
        "(default: 1048576, a job summary)",
    )
    report.add_argument(
        "--junit-family",
        choices=("xunit2", "xunit1"),
        help="junit: xunit1 adds file and line to each test case, which some GitHub actions need (default: xunit2)",
    )
    report.add_argument("--bom", action="store_true", help="csv: begin with the mark by which Excel knows UTF-8")
    report.set_defaults(run=run)


def run(options: argparse.Namespace, console: Console) -> int:
    """Write the projection."""
    for name, kind in _ONLY_FOR.items():
        if getattr(options, name) not in (None, False) and options.to != kind:
            raise UserError(f"--{name.replace('_', '-')} is for --to {kind}, not for --to {options.to}")
    report, path = open_report(options.report)
    output: Path | None = options.output
    if output is None and options.to == "html" and sys.stdout.isatty():
        raise UserError("a page is nothing to read in a terminal: name a file with --output, as --output report.html")
    if output is not None and output.is_dir():
        raise UserError(f"--output {output} is a folder; name a file")
    if output is not None and output.resolve() == path.resolve():
        raise UserError(f"--output {output} is the report itself; name another file")
    content = _projection(report, options).encode("utf-8")
    if output is None:
        _print(content)
    else:
        write_atomic(output, content)
    return 0


def _projection(report: Any, options: argparse.Namespace) -> str:
    # Each brings its own libraries, and only one is asked for.
    if options.to == "html":
        from evals.reports.html import html

        return html(report)
    if options.to == "markdown":
        from evals.reports.markdown import LEAST, LIMIT, markdown

        limit = LIMIT if options.max_bytes is None else options.max_bytes
        if limit < LEAST:
            raise UserError(f"--max-bytes is {limit}: must be at least {LEAST}")
        return markdown(report, limit=limit)
    if options.to == "junit":
        from evals.reports.junit import junit_xml

        return junit_xml(report, family=options.junit_family or "xunit2")
    if options.to == "deepeval":
        from evals.reports.deepeval import deepeval_json

        return deepeval_json(report)
    from evals.reports.samples_csv import samples_csv

    return ("\ufeff" if options.bom else "") + samples_csv(report)


def _print(content: bytes) -> None:
    """For other programs: as bytes, whatever the terminal's encoding; no console may wrap or colour it."""
    sys.stdout.buffer.write(content)
    sys.stdout.flush()
