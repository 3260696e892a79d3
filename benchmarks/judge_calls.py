"""What judging costs: calls, seconds, and the harness's own CPU time for a judgement.

    python benchmarks/judge_calls.py

All against one server on this machine that takes 200 ms for an answer.

1. 7,532 samples over 20 categories, `pytest evals`, then the same again with
   everything in the store; beside it DeepEval's own `evaluate` with its own
   local model class, on fewer samples, carried on in proportion (too kindly:
   its time per case grows with the number of cases).
2. Pairs that are all distinct, as with free text: judgements a second as a
   share of concurrency / latency, and CPU time for each.
3. The two HTTP clients that come into question, on requests of the same size.

Exits with 1 if a bar is missed: more calls than distinct pairs, 15 s of judging
at concurrency 32, 2 s from the store, 50 times fewer calls or seconds than
DeepEval, 90 % of the possible throughput up to 100 judgements a second, 3 ms of
CPU for a judgement.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

LATENCY = 0.2
SAMPLES = 7532
CATEGORIES = [f"category.{letter}" for letter in "abcdefghijklmnopqrst"]
QUIET = {"DEEPEVAL_TELEMETRY_OPT_OUT": "YES", "DEEPEVAL_DISABLE_DOTENV": "1", "DEEPEVAL_DISABLE_TIMEOUTS": "1"}
DEEPEVAL = """
import json, sys, time
from deepeval import evaluate
from deepeval.evaluate import AsyncConfig, DisplayConfig
from deepeval.models import LocalModel
from deepeval.test_case import LLMTestCase
from evals.metrics.category_precision import category_precision
rows = [json.loads(line) for line in open(sys.argv[2])][: int(sys.argv[3])]
model = LocalModel(model="judge", base_url=sys.argv[1] + "/v1", api_key="none")
started = time.perf_counter()
evaluate(
    [LLMTestCase(input=r["text"], actual_output=r["predicted"], expected_output=r["label"]) for r in rows],
    [category_precision(0.8).geval(model)],
    async_config=AsyncConfig(max_concurrent=32),
    display_config=DisplayConfig(show_indicator=False, print_results=False),
)
print("seconds", time.perf_counter() - started)
"""


@contextmanager
def judge_server(log: Path, latency: float = LATENCY) -> Iterator[str]:
    """A server in a process of its own; its URL."""
    command = [sys.executable, "-m", "fixtures.judge_server", "--latency", str(latency), "--log", str(log)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def answered(log: Path) -> int:
    return len(log.read_text(encoding="utf-8").splitlines()) if log.exists() else 0


def write_data(folder: Path) -> list[str]:
    """A data set of the size of 20 Newsgroups' test split, a fifth of it answered wrong, all pairs met."""
    from fixtures.datasets import load_dataset

    rows = []
    for number in range(SAMPLES):
        expected = CATEGORIES[number % 20]
        predicted = CATEGORIES[(number + number // 100) % 20] if number // 20 % 5 == 0 else expected
        rows.append({"text": f"document {number} " + "some words " * 60, "label": expected, "predicted": predicted})
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    documents = load_dataset(str(folder / "data.jsonl"), splits=["test"]).splits["test"]
    answers = [
        {"id": document.id, "predicted": row["predicted"]} for document, row in zip(documents, rows, strict=True)
    ]
    (folder / "predictions.jsonl").write_text("".join(json.dumps(answer) + "\n" for answer in answers))
    return [
        *("--dataset", str(folder / "data.jsonl"), "--predictions", str(folder / "predictions.jsonl")),
        *("--num-samples", "all", "--fail-on", "never", "--save-to", str(folder / "out")),
    ]


def run(command: list[str]) -> str:
    process = subprocess.run(
        command, cwd=ROOT, env=os.environ | QUIET | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    if process.returncode:
        sys.exit(process.stdout[-3000:] + process.stderr[-3000:])
    return process.stdout


def shared_pairs(console: Console, cases: int) -> list[str]:
    """Part 1; what was missed."""
    table = Table(title=f"{SAMPLES:,} samples, a judge that takes {LATENCY * 1000:.0f} ms")
    for column in ("harness", "samples", "distinct pairs", "calls", "judging s", "whole run s"):
        table.add_column(column, justify="right")
    missed = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        options = write_data(folder)
        log = folder / "log"
        with judge_server(log) as url:
            command = [sys.executable, "-m", "pytest", "evals", "-q", "-p", "no:cacheprovider", *options]
            command += ["--judge", f"endpoint:judge@{url}/v1", "--judge-concurrency", "32"]
            figures = []
            for title in ("pytest evals", "the same again"):
                before, started = answered(log), time.perf_counter()
                run(command)
                seconds, calls = time.perf_counter() - started, answered(log) - before
                report = json.loads((folder / "out" / "report.json").read_text(encoding="utf-8"))
                judging, pairs = report["run"]["judging_seconds"], report["judge"]["distinct_pairs"]
                figures.append((calls, judging, pairs))
                table.add_row(title, f"{SAMPLES:,}", str(pairs), str(calls), f"{judging:.2f}", f"{seconds:.1f}")
            before = answered(log)
            output = run([sys.executable, "-c", DEEPEVAL, url, str(folder / "data.jsonl"), str(cases)])
            theirs = float(output.rpartition("seconds")[2])
            their_calls = answered(log) - before
    factor = SAMPLES / cases
    table.add_row("deepeval.evaluate", str(cases), "", str(their_calls), f"{theirs:.1f}", "")
    table.add_row("carried on", f"{SAMPLES:,}", "", f"{their_calls * factor:,.0f}", f"{theirs * factor:,.0f}", "")
    console.print(table)
    (calls, judging, pairs), (calls_again, judging_again, _) = figures
    fewer_calls, fewer_seconds = their_calls * factor / calls, theirs * factor / judging
    console.print(f"{fewer_calls:.0f} times fewer calls (preflight included), {fewer_seconds:.0f} times fewer seconds")
    if calls > pairs + 1:  # The preflight's question stands for none of the pairs.
        missed.append(f"{calls} calls for {pairs} distinct pairs and the preflight")
    if judging > 15:
        missed.append(f"{judging:.1f} s of judging; 15 s allowed")
    if calls_again or judging_again > 2:
        missed.append(f"{calls_again} calls and {judging_again:.1f} s with everything in the store")
    if max(fewer_calls, fewer_seconds) < 50:
        missed.append(f"{fewer_calls:.0f} times fewer calls, {fewer_seconds:.0f} times fewer seconds; 50 wanted")
    return missed


def distinct_pairs(console: Console) -> list[str]:
    """Part 2; what was missed."""
    from evals.judges import Judgement, open_judges
    from evals.judging import Jury
    from evals.settings import Settings
    from evals.verdicts import VerdictStore

    table = Table(title="all pairs distinct")
    for column in ("concurrency", "judgements", "a second", "possible", "share", "CPU ms each"):
        table.add_column(column, justify="right")
    missed = []
    for concurrency in (8, 20, 32, 64, 128, 256):
        possible = concurrency / LATENCY
        pairs = [Judgement(f"answer {number} to a question", "another") for number in range(int(possible * 5))]
        with tempfile.TemporaryDirectory() as name, judge_server(Path(name) / "log") as url:
            settings = Settings(judge=f"endpoint:judge@{url}/v1", judge_concurrency=concurrency)
            with VerdictStore(Path(name) / "v") as store, Jury(open_judges(settings), store, settings) as jury:
                jury.preflight(lambda line: None)
                started, cpu = time.perf_counter(), time.process_time()
                judging = jury.judge(pairs, lambda title, total: lambda steps: None)
                seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        assert all(pair.verdict.score is not None for pair in judging.verdicts.values())
        rate, each = len(pairs) / seconds, 1000 * cpu / len(pairs)
        table.add_row(
            *(str(concurrency), str(len(pairs)), f"{rate:.0f}", f"{possible:.0f}", f"{rate / possible:.0%}"),
            f"{each:.2f}",
        )
        if possible <= 100 and rate < 0.9 * possible:
            missed.append(f"{rate:.0f} judgements a second of {possible:.0f} at concurrency {concurrency}")
        if each > 3:
            missed.append(f"{each:.1f} ms of CPU for a judgement at concurrency {concurrency}")
    console.print(table)
    return missed


def clients(console: Console) -> None:
    """Part 3."""
    import aiohttp
    import httpx

    table = Table(title="HTTP clients: CPU ms for a request")
    for column in ("in flight", "aiohttp", "httpx"):
        table.add_column(column, justify="right")
    body = {"model": "judge", "messages": [{"role": "user", "content": "a prompt of some length " * 130}]}

    async def measure(post: Callable[[], Awaitable[object]], in_flight: int) -> float:
        async def work() -> None:
            for _ in range(8):
                await post()

        await post()
        cpu = time.process_time()
        await asyncio.gather(*(work() for _ in range(in_flight)))
        return 1000 * (time.process_time() - cpu) / (8 * in_flight)

    async def with_aiohttp(url: str, in_flight: int) -> float:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

            async def post() -> object:
                async with session.post(url, json=body) as response:
                    return await response.json()

            return await measure(post, in_flight)

    async def with_httpx(url: str, in_flight: int) -> float:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        async with httpx.AsyncClient(limits=limits, timeout=60) as session:

            async def post() -> object:
                return (await session.post(url, json=body)).json()

            return await measure(post, in_flight)

    with tempfile.TemporaryDirectory() as name, judge_server(Path(name) / "log") as server:
        url = f"{server}/v1/chat/completions"
        for in_flight in (32, 256):
            figures = [asyncio.run(way(url, in_flight)) for way in (with_aiohttp, with_httpx)]
            table.add_row(str(in_flight), *(f"{figure:.2f}" for figure in figures))
    console.print(table)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--cases", type=int, default=400, help="samples that DeepEval judges (%(default)s)")
    arguments = options.parse_args()
    os.environ |= QUIET
    os.environ["NO_PROXY"] = "127.0.0.1"
    console = Console(width=110)
    missed = shared_pairs(console, arguments.cases) + distinct_pairs(console)
    clients(console)
    for line in missed:
        console.print(f"missed: {line}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
