"""What the harness itself costs: a judge that answers at once, predictions given.

    python benchmarks/harness_overhead.py

Runs, in alternation and each in a process of its own: `pytest evals` at two
sizes, and DeepEval's own `evaluate` at small sizes with the same judge,
because its time per case grows with the number of cases: with its cache, which
is its default and what lets it resume, and without. Times are CPU seconds
of the whole process, imports included, so that other load on the machine does
not count. Exits with 1 if a bar is missed: 5 ms a sample, time per sample at
the large size at most 1.3 times that at the small one, 700 MB.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
JUDGE = "fixtures.judges:ExactMatchJudge"
CATEGORIES = [f"category.{letter}" for letter in "abcdefghijklmnopqrst"]
DEEPEVAL = """
import json, sys
from deepeval import evaluate
from deepeval.evaluate import CacheConfig, DisplayConfig
from deepeval.test_case import LLMTestCase
from evals.metrics.category_precision import category_precision
from fixtures.judges import ExactMatchJudge
rows = [json.loads(line) for line in open(sys.argv[1])]
evaluate(
    [LLMTestCase(input=r["text"], actual_output=r["predicted"], expected_output=r["label"]) for r in rows],
    [category_precision(0.8).geval(ExactMatchJudge())],
    cache_config=CacheConfig(write_cache=sys.argv[2] == "cache"),
    display_config=DisplayConfig(show_indicator=False, print_results=False),
)
"""


def write_data(folder: Path, size: int) -> None:
    """A data set of ``size`` documents of news length, predictions with one in eight wrong."""
    sys.path.insert(0, str(ROOT))
    from fixtures.datasets import load_dataset

    rows = []
    for number in range(size):
        label = CATEGORIES[number % 20]
        predicted = CATEGORIES[(number + number // 20) % 20] if number % 8 == 0 else label
        rows.append(
            {"text": f"document {number} " + "some words of news " * 60, "label": label, "predicted": predicted}
        )
    data = folder / "data.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    documents = load_dataset(str(data), splits=["test"]).splits["test"]
    (folder / "predictions.jsonl").write_text(
        "".join(
            json.dumps({"id": document.id, "predicted": row["predicted"]}) + "\n"
            for document, row in zip(documents, rows, strict=True)
        )
    )


def cpu_seconds(command: list[str], folder: Path) -> tuple[float, float]:
    """CPU seconds and peak memory (MB) of a process that must not crash."""
    environment = os.environ | {
        "DEEPEVAL_TELEMETRY_OPT_OUT": "YES",
        "DEEPEVAL_DISABLE_DOTENV": "1",
        "DEEPEVAL_DISABLE_TIMEOUTS": "1",
        "PYTHONPATH": str(ROOT),
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        sys.exit((folder / "log").read_text(errors="replace")[-3000:])
    megabytes = usage.ru_maxrss / (1024 if sys.platform.startswith("linux") else 1024**2)
    return usage.ru_utime + usage.ru_stime, megabytes


def ours(size: int) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_data(folder, size)
        options = ["--dataset", "data.jsonl", "--predictions", "predictions.jsonl", "--num-samples", "all"]
        command = [sys.executable, "-m", "pytest", str(ROOT / "evals"), "-n", "0", "-q", "-p", "no:cacheprovider"]
        return cpu_seconds([*command, *options, "--judge", JUDGE, "--fail-on", "never", "--save-to", "out"], folder)


def deepevals(size: int, cache: str) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_data(folder, size)
        return cpu_seconds([sys.executable, "-c", DEEPEVAL, str(folder / "data.jsonl"), cache], folder)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs=2, default=[1000, 7532], help="samples of pytest evals")
    parser.add_argument("--deepeval-sizes", type=int, nargs="*", default=[200, 800], help="cases of deepeval.evaluate")
    options = parser.parse_args()
    console = Console()
    table = Table("harness", "samples", "CPU s", "ms per sample", "peak MB", title="instant judge, predictions given")
    figures: dict[int, tuple[float, float]] = {}
    for size in options.sizes:
        seconds, memory = ours(size)
        figures[size] = (1000 * seconds / size, memory)
        table.add_row("pytest evals", f"{size:,}", f"{seconds:.1f}", f"{figures[size][0]:.2f}", f"{memory:.0f}")
    for cache in ("cache", "no cache"):
        name = "deepeval.evaluate (its default)" if cache == "cache" else "deepeval.evaluate, write_cache=False"
        for size in options.deepeval_sizes:
            seconds, memory = deepevals(size, cache)
            each = f"{1000 * seconds / size:.1f}"
            table.add_row(name, f"{size:,}", f"{seconds:.1f}", each, f"{memory:.0f}")
    console.print(table)
    small, large = (figures[size] for size in options.sizes)
    ratio = large[0] / small[0]
    console.print(f"time per sample, large to small: {ratio:.2f} (bar 1.3); large: {large[0]:.2f} ms (bar 5)")
    return 0 if large[0] < 5 and ratio <= 1.3 and large[1] < 700 else 1


if __name__ == "__main__":
    sys.exit(main())
