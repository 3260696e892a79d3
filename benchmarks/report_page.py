"""All reports of a full run: how long they take to make, how large they are, how fast the page answers.

7,532 samples with texts of 20 Newsgroups (made-up ones where the data is not
here). A process of its own reads report.json, writes every file that a run
writes, and then DeepEval's latest run, as `deepeval test run` leaves it. Then a
headless Chromium opens the page, and each action is timed from the event to the
frame that shows its result, several times.

Exits with 1 if a bar is missed: 10 CPU seconds and 1 GB for all files, 15 MB
for the page, 100 ms an action (the median).
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

SECONDS, MEGABYTES, FILE_MB, ACTION_MS = 10, 1000, 15, 100
# From the event to the frame after it: what a reader waits for.
TIMED = """async ([selector, event, value]) => {
    const target = document.querySelector(selector);
    const settled = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    await settled();
    const start = performance.now();
    if (value !== null) target.value = value;
    if (event === "click") target.click(); else target.dispatchEvent(new Event(event, { bubbles: true }));
    const handled = performance.now() - start;
    document.body.getBoundingClientRect();
    await settled();
    return [handled, performance.now() - start];
}"""
ACTIONS = [
    ("search, one letter", "#query", "input", "e"),
    ("search, two words", "#query", "input", "space orbit"),
    ("search, no match", "#query", "input", "nobody wrote this"),
    ("search, cleared", "#query", "input", ""),
    ("filter by state", "#state", "change", "1"),
    ("filter by category", "#row", "change", "3"),
    ("filters cleared", "#filters button", "click", None),
    ("sort by sample", "[data-sort=id]", "click", None),
    ("sort by answer", "[data-sort=predicted]", "click", None),
    ("sort by score", "[data-sort=score]", "click", None),
    ("click on a confusion", ".matrix .wrong button", "click", None),
    ("all again", "#filters button", "click", None),
    ("next page", "[data-page=next]", "click", None),
    ("last page", "[data-page=last]", "click", None),
    ("open a row", "#rows th button", "click", None),
]


def texts() -> tuple[list[str] | None, str]:
    """Texts of the test split of 20 Newsgroups, if it is here."""
    from fixtures.contracts.errors import UserError
    from fixtures.datasets import load_dataset

    if shared := os.environ.get("NEWSJUDGE_SHARED_DATA"):
        os.environ.setdefault("SCIKIT_LEARN_DATA", str(Path(shared) / "sklearn"))
    try:
        documents = load_dataset("20newsgroups", splits=("test",)).splits["test"]
    except UserError:
        return None, "made-up texts"
    return [document.text for document in documents], "texts of 20 Newsgroups"


class Written(NamedTuple):
    """Seconds and CPU seconds for all files, seconds for DeepEval's latest run, peak memory in MB before that."""

    seconds: float
    cpu: float
    deepeval: float
    peak: float


def write_all(folder: Path) -> Written:
    """Write what a run writes, in a process that has loaded no library for it yet."""
    os.environ["DEEPEVAL_CACHE_FOLDER"] = str(folder / "deepeval")
    from evals.reports import read_report, write_reports

    report = read_report(folder / "report.json")
    start, busy = time.perf_counter(), time.process_time()
    write_reports(report, folder)
    seconds, cpu = time.perf_counter() - start, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    from deepeval.test_run import global_test_run_manager

    from evals.reports.deepeval_run import save_latest_run

    global_test_run_manager.save_to_disk = True
    global_test_run_manager.create_test_run(file_name="evals")
    start = time.perf_counter()
    save_latest_run(report)
    return Written(seconds, cpu, time.perf_counter() - start, peak)


def answer_times(page_file: Path, chromium: str, rounds: int) -> tuple[float, dict[str, list[tuple[float, float]]]]:
    """Milliseconds to open the page, and of every action: (until handled, until shown)."""
    from playwright.sync_api import sync_playwright

    times: dict[str, list[tuple[float, float]]] = {name: [] for name, *_ in ACTIONS}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
        start = time.perf_counter()
        page.goto(page_file.as_uri())
        page.locator("#rows tr").first.wait_for()
        opened = (time.perf_counter() - start) * 1000
        # The page prepares its search when it is idle, as it is for every reader who looks before typing.
        page.wait_for_timeout(1500)
        for _ in range(rounds):
            for name, selector, event, value in ACTIONS:
                handled, shown = page.evaluate(TIMED, [selector, event, value])
                times[name].append((handled, shown))
        browser.close()
    return opened, times


def time_actions(page: Path, chromium: str, rounds: int, console: Console) -> list[str]:
    """Print how long actions take; which of them take too long."""
    opened, times = answer_times(page, chromium, rounds)
    missed = []
    table = Table(title=f"Chromium opens it in {opened:.0f} ms; an action takes (ms, {rounds} times)")
    for heading in ("action", "handled", "shown, median", "shown, longest"):
        table.add_column(heading, justify="left" if heading == "action" else "right")
    for name, taken in times.items():
        handled, shown = (statistics.median(column) for column in zip(*taken, strict=True))
        table.add_row(name, f"{handled:.1f}", f"{shown:.1f}", f"{max(one for _, one in taken):.1f}")
        if shown > ACTION_MS:
            missed.append(f"{name}: {shown:.0f} ms; the bar is {ACTION_MS}")
    console.print(table)
    return missed


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=9, help="times each action is done (%(default)s)")
    rounds = options.parse_args().rounds
    from evals.reports import FILES
    from tests.evals.reports import sample_reports

    bodies, which = texts()
    report = sample_reports.large(bodies)
    console, missed = Console(), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "report.json").write_text(report.to_json(), encoding="utf-8")
        # Spawned, not forked: what this process holds is no part of the measurement.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            written = pool.submit(write_all, folder).result()
        sizes = {file: (folder / file).stat().st_size / 2**20 for file in FILES}
        console.print(
            f"{len(report.samples):,} samples, {which}: all {len(FILES)} files written in {written.seconds:.2f} s "
            f"({written.cpu:.2f} CPU s), process peak {written.peak:.0f} MB; "
            f"then DeepEval's latest run in {written.deepeval:.2f} s"
        )
        console.print("MB: " + ", ".join(f"{file} {size:.2f}" for file, size in sizes.items()))
        bars = (
            ("CPU s for all files", written.cpu, SECONDS),
            ("MB of memory", written.peak, MEGABYTES),
            ("MB of the page", sizes["report.html"], FILE_MB),
        )
        missed += [f"{value:.1f} {what}; the bar is {bar}" for what, value, bar in bars if value > bar]
        chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if chromium is None:
            console.print("no Chromium here: its actions are not timed")
        else:
            missed += time_actions(folder / "report.html", chromium, rounds, console)
    for line in missed:
        console.print(f"missed: {line}", style="red")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
