"""Judges held against the truth, from the files people write to the figures they read."""

import argparse
import json
import sys

import numpy as np
from hypothesis import settings
from rich.console import Console

from fixtures.contracts.errors import UserError
from tests.evals.test_reports import report_of

# Enough to find what is wrong, for a folder that runs in seconds; a busy machine is no failure.
quick = settings(deadline=None, max_examples=40)


def call(module, *arguments):
    """Run one command as `python -m evals` does; its exit code."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    module.add_parser(parser.add_subparsers(required=True))
    options = parser.parse_args([module.__name__.rpartition(".")[2], *map(str, arguments)])
    try:
        return options.run(options, Console(markup=False, highlight=False, soft_wrap=True))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def judged(cells, **given):
    """A report with so many samples of each kind: (true pass, false fail, false pass, true fail[, unscored]).

    Right answers share the pairs of a few categories; each wrong one is a pair of its own.
    """
    true_pass, false_fail, false_pass, true_fail, *unscored = cells
    rows = [(f"right {number}", "a", "a", 1.0, "same") for number in range(true_pass)]
    rows += [(f"strict {number}", "b", "b", 0.2, "odd") for number in range(false_fail)]
    rows += [(f"lax {number}", f"c{number}", "a", 1.0, "close") for number in range(false_pass)]
    rows += [(f"wrong {number}", f"d{number}", "b", 0.0, "far") for number in range(true_fail)]
    rows += [(f"silent {number}", "e", "e", None, "") for number in range(*unscored)] if unscored else []
    return report_of(rows, **given)


def noisy_report(samples, *, seed=0, sensitivity=0.95, specificity=0.8, accuracy=0.85):
    """A report of ``samples`` in 20 categories, with one verdict per pair, as our judges give them."""
    generator = np.random.default_rng(seed)
    names = [f"topic.{letter}" for letter in "abcdefghijklmnopqrst"]
    verdicts = {}
    rows = []
    for number in range(samples):
        expected = names[generator.integers(20)]
        predicted = expected if generator.random() < accuracy else names[generator.integers(20)]
        passing = sensitivity if expected == predicted else 1 - specificity
        score = verdicts.setdefault((expected, predicted), 1.0 if generator.random() < passing else 0.5)
        rows.append((f"document {number}", expected, predicted, score, f"{predicted} for {expected}"))
    return report_of(rows)
