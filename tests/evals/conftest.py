"""Runs of ``pytest evals`` as a user starts them, on small data made here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

# Loaded once here, so that runs inside this process need not load them again.
import evals.judges.models
import evals.reports.build
import evals.reports.deepeval
import evals.reports.junit
import fixtures.judges  # noqa: F401
from evals.judges import transport
from fixtures.datasets import load_dataset
from tests.evals.judge_bench import Bench

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Run:
    """A finished process and the folder it wrote to."""

    exit_code: int
    output: str
    folder: Path

    @cached_property
    def report(self):
        return json.loads((self.folder / "report.json").read_text(encoding="utf-8"))

    @property
    def usage(self):
        return self.report["run"]["usage"]

    @cached_property
    def verdict(self):
        return json.loads((self.folder / "verdict.json").read_text(encoding="utf-8"))["gate"]

    @cached_property
    def junit(self):
        return ET.parse(self.folder / "junit.xml").getroot()[0]


class Evals:
    """Starts evaluations in ``folder``; ``pairs`` are (expected, predicted), one a document."""

    def __init__(self, folder: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.pytester = pytester
        self.monkeypatch = monkeypatch
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("EVALS_")}
        self.out = folder / "out"

    def data(self, pairs, texts=None):
        """Write a data set and predictions for it; returns the options that name them."""
        texts = texts or [f"document number {number}" for number in range(len(pairs))]
        rows = [{"text": text, "label": expected} for text, (expected, _) in zip(texts, pairs, strict=True)]
        data = self.folder / "data.jsonl"
        data.write_text("".join(json.dumps(row) + "\n" for row in rows))
        documents = load_dataset(str(data), splits=["test"]).splits["test"]
        self.ids = [document.id for document in documents]
        predictions = self.folder / "predictions.jsonl"
        predictions.write_text(
            "".join(
                json.dumps({"id": document.id, "predicted": predicted}) + "\n"
                for document, (_, predicted) in zip(documents, pairs, strict=True)
            )
        )
        return ["--dataset", str(data), "--predictions", str(predictions), "--num-samples", "all"]

    def run(self, *options, pairs=None, texts=None, target="evals", **environment):
        """Run pytest to the end, in this process: a new one takes seconds to import DeepEval."""
        if "2" in options:
            # xdist's workers need a real process behind them.
            return self.run_process(*options, pairs=pairs, texts=texts, **environment)
        given = self.data(pairs, texts) if pairs is not None else []
        arguments = [str(ROOT / target), "-p", "no:cacheprovider", *given, "--save-to", str(self.out), *options]
        with self.monkeypatch.context() as patch:
            for key, value in environment.items():
                patch.setenv(key, value)
            result = self.pytester.runpytest_inprocess(*arguments)
        return Run(int(result.ret), "\n".join([*result.outlines, *result.errlines]), self.out)

    def run_process(
        self, *options, pairs=None, texts=None, command=("-m", "pytest", "evals"), plain=False, **environment
    ):
        """Run a command to the end, in a process of its own; ``plain``: without the options of an evaluation."""
        given = self.data(pairs, texts) if pairs is not None else []
        ours = [] if plain else ["-p", "no:cacheprovider", *given, "--save-to", str(self.out)]
        process = subprocess.run(
            [sys.executable, *command, *ours, *options],
            cwd=ROOT,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=300,
            check=False,
        )
        return Run(process.returncode, process.stdout.decode("utf-8", "replace"), self.out)


@pytest.fixture
def evals(tmp_path, pytester, monkeypatch) -> Evals:
    folder = tmp_path / "evals"
    folder.mkdir(exist_ok=True)
    return Evals(folder, pytester, monkeypatch)


@pytest.fixture
def bench(tmp_path, monkeypatch):
    # Faults are repeated after milliseconds, not seconds; how long is no claim of these tests.
    monkeypatch.setattr(transport, "_BACK_OFF", transport.wait_random(0, 0.01))
    monkeypatch.setenv("NO_PROXY", "*")
    return Bench(tmp_path)


def pairs(passing, failing, unrelated=("sci.space", "rec.autos")):
    """So many samples answered right and wrong."""
    return (
        [("sci.space", "sci.space")] * (passing - passing // 2)
        + [("rec.autos", "rec.autos")] * (passing // 2)
        + [unrelated] * failing
    )
