"""``python -m evals merge``: one report, and one verdict, of the reports of all shards."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from evals.commands.gate import EXIT_CODES
from evals.policies import changed_policy
from evals.settings import GatePolicy, load_policy
from fixtures.contracts.errors import UserError
from fixtures.contracts.settings import add_options

__all__ = ["add_parser", "run"]


def add_parser(commands: Any) -> None:
    """Declare the command."""
    merge = commands.add_parser(
        "merge",
        help="make one report of the reports of all shards: exit 0 pass, 3 fail, 4 inconclusive, 5 incomplete",
        description="Merge the reports of `pytest evals --shard i/n` and apply the gate that they were run with. "
        "Options change single requirements of it, a policy file replaces it.",
        allow_abbrev=False,
    )
    merge.add_argument(
        "reports", type=Path, nargs="+", metavar="REPORT", help="report.json of each shard, or its folder"
    )
    merge.add_argument("--save-to", type=Path, required=True, metavar="PATH", help="folder for the merged reports")
    merge.add_argument("--policy", type=Path, metavar="FILE", help="gate policy (JSON) in place of the shards'")
    gate = merge.add_argument_group("gate", "Each changes one requirement of the shards' gate; no default does.")
    add_options(gate.add_argument, GatePolicy)
    merge.set_defaults(run=run)


def run(options: argparse.Namespace, console: Console) -> int:
    """Merge, write all reports, and print what a whole run would print."""
    from evals.mergeable import read_shards
    from evals.merging import merge
    from evals.reports import remove_reports, write_reports
    from evals.reports.references import read_references
    from evals.reports.terminal import summary_lines

    _keep_apart(options.reports, options.save_to)
    remove_reports(options.save_to)
    given = {name: value for name in GatePolicy.model_fields if (value := getattr(options, name)) is not None}
    shards = read_shards(options.reports, decided=GatePolicy.model_fields if options.policy else given)
    first = shards[0].report
    policy = load_policy(options.policy, given) if options.policy else changed_policy(first.gate.policy, given)
    sample_ids = {row.id for shard in shards for row in shard.report.samples}
    references = read_references(policy, first.judge, first.dataset, sample_ids)
    changed = {"save_to": str(options.save_to)} | policy.model_dump(mode="json", include=set(given))
    if options.policy:
        changed["policy"] = str(options.policy)
    report = merge(shards, policy, references, changed)
    write_reports(report, options.save_to)
    for line, _ in summary_lines(report, options.save_to):
        console.print(line)
    return EXIT_CODES[report.gate.outcome]


def _keep_apart(reports: Sequence[Path], folder: Path) -> None:
    """What the merge writes must not take the place of what it reads."""
    for path in reports:
        if (path if path.is_dir() else path.parent).resolve() == folder.resolve():
            raise UserError(f"--save-to {folder} is the folder of {path}; name another one")
