"""``python -m evals gate``: apply a gate to a report that exists."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from rich.console import Console

from evals.policies import changed_policy, in_environment
from evals.settings import GatePolicy, load_policy
from fixtures.contracts.files import printable, sha256_text, write_atomic
from fixtures.contracts.settings import add_options

__all__ = ["EXIT_CODES", "add_parser", "run"]

EXIT_CODES = {"pass": 0, "fail": 3, "inconclusive": 4, "incomplete": 5, "not evaluated": 5}


def add_parser(commands: Any) -> None:
    """Declare the command."""
    gate = commands.add_parser(
        "gate",
        help="apply a gate to a report: exit 0 pass, 3 fail, 4 inconclusive, 5 incomplete",
        description="Apply a gate to a report: the one it was made with, in which options and EVALS_* variables change "
        "single requirements, or that of a policy file. Exit 0 pass, 3 fail, 4 inconclusive, 5 incomplete.",
        allow_abbrev=False,
    )
    gate.add_argument("report", type=Path, metavar="REPORT", help="report.json of an evaluation, or its folder")
    gate.add_argument(
        "--policy", type=Path, metavar="FILE", help="gate policy (JSON) with the keys of the options below"
    )
    gate.add_argument(
        "--save-to", type=Path, metavar="PATH", help="folder for verdict.json and summary.md; default: none"
    )
    add_options(gate.add_argument, GatePolicy)
    gate.set_defaults(run=run)


def run(options: argparse.Namespace, console: Console) -> int:
    """Evaluate the gate of a report and print every condition."""
    from evals.reports import Verdict, read_report
    from evals.reports.markdown import markdown
    from evals.reports.references import gated, read_references
    from evals.reports.terminal import condition_line

    given = {name: value for name in GatePolicy.model_fields if (value := getattr(options, name)) is not None}
    given = in_environment() | given
    file = options.policy or os.environ.get("EVALS_POLICY")
    policy = load_policy(Path(file), given) if file else None
    path = options.report / "report.json" if options.report.is_dir() else options.report
    report = read_report(path)
    policy = policy or changed_policy(report.gate.policy, given)
    references = read_references(policy, report.judge, report.dataset, {row.id for row in report.samples})
    reason = None if report.complete else report.gate.sentence.removeprefix("Gate not evaluated: ").rstrip(".")
    report = gated(report, policy, references, incomplete=reason)
    gate = report.gate
    for condition in gate.conditions:
        console.print(condition_line(condition))
    console.print(printable(gate.sentence))
    if options.save_to is not None:
        write_atomic(options.save_to / "summary.md", markdown(report))
        verdict = Verdict(gate=gate, report_digest=sha256_text(path.read_text(encoding="utf-8")))
        write_atomic(options.save_to / "verdict.json", verdict.to_json())
    return EXIT_CODES[gate.outcome]
