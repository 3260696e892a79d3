"""``python -m evals``: what does not need a test run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from evals.settings import GatePolicy, Settings, load_policy
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import sha256_text, write_atomic
from fixtures.contracts.settings import add_options, load_settings

EXIT_CODES = {"pass": 0, "fail": 3, "inconclusive": 4, "incomplete": 5, "not evaluated": 5}
SAMPLE_FIELDS = ("dataset", "remove", "num_samples", "seed")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; a user's mistake is one line and 2."""
    parser = argparse.ArgumentParser(
        prog="python -m evals", description="Gate, samples and reports. To evaluate: pytest evals", allow_abbrev=False
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_gate(commands)
    _add_samples(commands)
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _add_gate(commands: Any) -> None:
    gate = commands.add_parser(
        "gate",
        help="apply a gate to a report: exit 0 pass, 3 fail, 4 inconclusive, 5 incomplete",
        allow_abbrev=False,
    )
    gate.add_argument("report", type=Path, metavar="REPORT", help="report.json of an evaluation, or its folder")
    gate.add_argument(
        "--policy", type=Path, metavar="FILE", help="gate policy (JSON) with the keys of the options below"
    )
    gate.add_argument("--save-to", type=Path, metavar="PATH", help="folder for verdict.json; default: none is written")
    add_options(gate.add_argument, GatePolicy)
    gate.set_defaults(run=run_gate)


def run_gate(options: argparse.Namespace) -> int:
    """Evaluate the gate of a report and print every condition."""
    from evals.gate import evaluate_gate, not_evaluated
    from evals.reports import Verdict, read_report
    from evals.reports.terminal import condition_line

    given = {name: value for name in GatePolicy.model_fields if (value := getattr(options, name)) is not None}
    policy = (
        load_policy(options.policy, given) if options.policy else load_settings(GatePolicy, given, whole=Settings)[0]
    )
    path = options.report / "report.json" if options.report.is_dir() else options.report
    report = read_report(path)
    if report.complete:
        gate = evaluate_gate(report.tally, policy)
    else:
        gate = not_evaluated(report.gate.sentence.removeprefix("Gate not evaluated: ").rstrip("."), policy)
    for condition in gate.conditions:
        print(condition_line(condition))
    print(gate.sentence)
    if options.save_to is not None:
        verdict = Verdict(gate=gate, report_digest=sha256_text(path.read_text(encoding="utf-8")))
        write_atomic(options.save_to / "verdict.json", verdict.model_dump_json(indent=2) + "\n")
    return EXIT_CODES[gate.outcome]


def _add_samples(commands: Any) -> None:
    samples = commands.add_parser(
        "samples",
        help="write the ids, categories and text digests that an evaluation draws",
        allow_abbrev=False,
    )
    subset = {name: Settings.model_fields[name] for name in SAMPLE_FIELDS}
    add_options(samples.add_argument, type("_Samples", (), {"model_fields": subset}))
    samples.add_argument("--texts", action="store_true", help="write the texts, too")
    samples.add_argument("--output", type=Path, metavar="PATH", help="JSONL file; default: standard output")
    samples.set_defaults(run=run_samples)


def run_samples(options: argparse.Namespace) -> int:
    """Draw as ``pytest evals`` does with the same options."""
    from evals.evaluation import load_documents
    from fixtures.contracts.files import jsonl

    given = {name: getattr(options, name) for name in SAMPLE_FIELDS}
    settings, _ = load_settings(Settings, given)
    _, drawn = load_documents(settings, None)
    rows = [
        {"id": document.id, "expected": document.label, "digest": document.digest}
        | ({"text": document.text} if options.texts else {})
        for document in drawn
    ]
    _write(jsonl(rows), options.output, sys.stdout)
    return 0


def _write(text: str, output: Path | None, stream: TextIO) -> None:
    if output is None:
        stream.write(text)
    else:
        write_atomic(output, text)


if __name__ == "__main__":
    sys.exit(main())
