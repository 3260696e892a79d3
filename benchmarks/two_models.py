"""Two real models, one truly worse by about 3 points: what does each kind of gate say of it?

    python benchmarks/two_models.py

Two linear classifiers on 20 Newsgroups, headers kept: a better one, the
baseline, and a worse one that is to replace it. Their true pass rates are those
over all 7,532 test documents (judged by the rubric, at threshold 0.8).
Then 1,000 evaluations of each size are drawn as `pytest evals --num-samples`
draws them, and three gates are asked about the worse model: a point estimate
against 84 %, our gate with the same requirement, and the paired comparison
with the baseline at a margin of 2 points. Last, one single draw of each size
goes through the real commands, as a user would see it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from evals.conditions import Evidence, Paired, Tally  # noqa: E402
from evals.gate import evaluate_gate  # noqa: E402
from evals.samples import draw  # noqa: E402
from evals.settings import GatePolicy  # noqa: E402
from fixtures.datasets import load_dataset  # noqa: E402

SIZES = (100, 500, 2000)
REQUIRED = 0.84
MARGIN = 0.02


def predictions(folder: Path) -> dict[str, Path]:
    """Files with what both models answer on the whole test split."""
    dataset = load_dataset("20newsgroups")
    train, test = dataset.splits["train"], dataset.splits["test"]
    words = TfidfVectorizer(sublinear_tf=True, min_df=2)
    features = words.fit_transform([document.text for document in train])
    labels = [document.label for document in train]
    models = {"better": LinearSVC(C=1.0, random_state=0), "worse": LogisticRegression(C=0.5, max_iter=300)}
    files = {}
    for name, model in models.items():
        answers = model.fit(features, labels).predict(words.transform([document.text for document in test]))
        rows = [{"id": document.id, "predicted": str(answer)} for document, answer in zip(test, answers, strict=True)]
        files[name] = folder / f"{name}.jsonl"
        files[name].write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return files


def evals(*arguments: str) -> str:
    process = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, env=os.environ
    )
    if process.returncode not in (0, 1, 3, 4):
        sys.exit(process.stdout[-3000:] + process.stderr[-3000:])
    return process.stdout


def measure(file: Path, samples: str, folder: Path) -> dict[str, dict[str, object]]:
    """Run the evaluation; the rows of its report by sample id."""
    evals(
        *("pytest", "evals", "-q", "-p", "no:cacheprovider", "--dataset", "20newsgroups", "--predictions", str(file)),
        *("--num-samples", samples, "--min-pass-rate", str(REQUIRED), "--fail-on", "never", "--save-to", str(folder)),
    )
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return {row["id"]: row for row in report["samples"]}


def repeatedly(passes: dict[str, dict[str, bool]], console: Console, draws: int) -> None:
    """How often each gate says what, over many draws."""
    documents = load_dataset("20newsgroups", splits=["test"]).splits["test"]
    table = Table(title=f"what is said of the worse model, share of {draws:,} draws")
    for column in (
        "samples",
        "point gate passes",
        "our gate: pass / inconclusive / fail",
        "no worse than the baseline",
    ):
        table.add_column(column, justify="right")
    policy = GatePolicy(min_pass_rate=REQUIRED, baseline="better", margin=MARGIN)
    for size in SIZES:
        point, gate, paired = 0, Counter[str](), Counter[str]()
        for seed in range(draws):
            ids = [document.id for document in draw(documents, size, seed=seed)]
            worse = np.array([passes["worse"][name] for name in ids])
            better = np.array([passes["better"][name] for name in ids])
            passed = int(worse.sum())
            evidence = Evidence(
                Tally(passed=passed, failed=size - passed, unscored=0),
                baseline=Paired("better", size, int((worse & ~better).sum()), int((better & ~worse).sum())),
            )
            found = {condition.name: condition.outcome for condition in evaluate_gate(evidence, policy).conditions}
            point += passed / size >= REQUIRED
            gate[found["pass rate"]] += 1
            paired[found["difference to the baseline"]] += 1
        cells = [
            " / ".join(f"{counts[kind] / draws:.1%}" for kind in ("pass", "inconclusive", "fail"))
            for counts in (gate, paired)
        ]
        table.add_row(f"{size:,}", f"{point / draws:.1%}", *cells)
    console.print(table)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--draws", type=int, default=1000, help="draws of each size (%(default)s)")
    arguments = options.parse_args()
    if shared := os.environ.get("NEWSJUDGE_SHARED_DATA"):
        os.environ.setdefault("SCIKIT_LEARN_DATA", str(Path(shared) / "sklearn"))
    console = Console(width=120, highlight=False)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = predictions(folder)
        passes = {}
        for model, file in files.items():
            rows = measure(file, "all", folder / model)
            passes[model] = {key: row["state"] == "passed" for key, row in rows.items()}
            right = sum(row["predicted"] == row["expected"] for row in rows.values()) / len(rows)
            rate = sum(passes[model].values()) / len(rows)
            console.print(f"{model}: {rate:.1%} of {len(rows):,} pass, accuracy {right:.3f}")
        repeatedly(passes, console, arguments.draws)
        for size in SIZES:
            console.print(f"\n[bold]one evaluation with {size:,} samples[/]")
            for model, file in files.items():
                measure(file, str(size), folder / f"{model}-{size}")
            gate = evals("evals", "gate", str(folder / f"worse-{size}"), "--min-pass-rate", str(REQUIRED))
            console.print(f"gate: {gate.splitlines()[-1]}", markup=False)
            compared = evals(
                *("evals", "compare", str(folder / f"better-{size}"), str(folder / f"worse-{size}")),
                *("--margin", str(MARGIN)),
            )
            console.print(compared.partition("\naccuracy: ")[0], markup=False)


if __name__ == "__main__":
    main()
