"""Asked to stop, as Kubernetes asks or by Ctrl-C, an evaluation keeps what was paid for and reports what it knows."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from evals.reports import build as build_module
from fixtures.judge_server import Judge, JudgeServer, Stall
from tests.evals.conftest import ROOT, Run

GRACE = 25
"""Seconds; Kubernetes kills after 30. xdist alone waits 10 for its workers."""
LABELS = [f"c{number}" for number in range(40)]


def pairs(count):
    return [(label, label) for label in ("a", "b")] * (count // 2)


def deaf_to_ctrl_c():
    """As a shell starts jobs in the background."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def stopped(evals, options, *, when, start=None):
    """An evaluation that got SIGTERM ``when`` it was time, and how many seconds later it ended."""
    command = [sys.executable, "-m", "pytest", "evals", "-p", "no:cacheprovider", "--save-to", str(evals.out), *options]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=evals.environment | {"NO_PROXY": "*"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=start,
    )
    try:
        deadline = time.monotonic() + 120
        while not when():
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.02)
        asked = time.monotonic()
        process.terminate()
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    return Run(process.returncode, output, evals.out), time.monotonic() - asked


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "start"), [("0", None), ("2", None), ("0", deaf_to_ctrl_c)])
def test_while_judging_it_ends_soon_and_reports_what_was_judged(evals, workers, start):
    options = evals.data([(label, label) for label in LABELS])
    with JudgeServer(judge=Judge(latency=0.3)) as server:
        options += ["--judge", f"endpoint:judge@{server.url}/v1", "--judge-concurrency", "2", "-n", workers]
        run, seconds = stopped(evals, options, when=lambda: server.answered >= 10, start=start)
        asked = len(server.calls)

        assert (run.exit_code, seconds < GRACE) == (2, True), run.output
        assert not run.report["complete"]
        assert run.verdict["outcome"] == "not evaluated"
        assert 5 <= run.report["tally"]["passed"] == 40 - run.report["tally"]["unscored"] < 40
        assert "judging stopped: the run was interrupted; what was answered is stored" in run.output

        again = evals.run(*options)
        assert again.exit_code == 0, again.output
        # But for the preflights and what was in flight, nothing is asked twice.
        assert len(server.calls) - asked <= 40 - run.report["tally"]["passed"] + 4


@pytest.mark.slow
def test_before_judging_it_says_that_nothing_is_lost(evals):
    with JudgeServer([Stall()]) as server:
        options = [*evals.data(pairs(2)), "--judge", f"endpoint:judge@{server.url}/v1"]
        run, seconds = stopped(evals, options, when=lambda: server.calls)

    assert (run.exit_code, seconds < GRACE) == (2, True), run.output
    assert "interrupted; what is finished is kept, and the same command goes on from there" in run.output
    assert not (run.folder / "report.json").exists()


@pytest.mark.slow
def test_between_samples_it_reports_how_far_it_came(evals):
    (evals.folder / "stops.py").write_text(
        """
import signal
items = []
def pytest_runtest_setup(item):
    items.append(item)
    if len(items) == 5:
        signal.raise_signal(signal.SIGTERM)
"""
    )
    # Not within this process: pytester would pass the interruption on.
    run = evals.run_process("-p", "stops", pairs=pairs(20), PYTHONPATH=str(evals.folder))

    assert run.exit_code == 2, run.output
    assert not run.report["complete"]
    assert "the run stopped after 4 of 20 samples" in run.verdict["sentence"]


def test_reports_are_written_to_the_end(evals, monkeypatch):
    build = build_module.build_report

    def disturbed(*args, **kwargs):
        signal.raise_signal(signal.SIGTERM)
        return build(*args, **kwargs)

    monkeypatch.setattr(build_module, "build_report", disturbed)
    run = evals.run(pairs=pairs(100))

    assert run.exit_code == 0
    assert run.verdict["outcome"] == "pass"


def test_the_session_gives_the_signal_back(evals):
    before = signal.getsignal(signal.SIGTERM)
    evals.run(pairs=pairs(20))

    assert signal.getsignal(signal.SIGTERM) == before
