"""The GitLab job, its script executed: what each outcome looks like."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.ci.conftest import CASES, GITLAB, PAGE, check_out, environment, variables
from tests.ci.github_job import load

JOB = load(GITLAB)["evaluate"]


def run(folder: Path, name: str) -> tuple[int, str, list[str]]:
    """Exit code, log and artifacts of ``script``; GitLab's runner joins its lines in one shell.

    ``before_script`` installs and trains: a copied product and predictions take its place.
    """
    checkout = check_out(folder, CASES[name])
    process = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", "\n".join(JOB["script"])],
        cwd=checkout,
        env=environment(checkout) | variables(JOB["variables"], CASES[name]),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
        check=False,
    )
    files = [file.name for path in JOB["artifacts"]["paths"] for file in sorted(checkout.glob(f"{path}*"))]
    return process.returncode, process.stdout.decode("utf-8", "replace"), files


def status(code: int) -> str:
    """What GitLab shows for an exit code."""
    return "passed" if code == 0 else "warning" if code in JOB["allow_failure"]["exit_codes"] else "failed"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "code", "shown", "last"),
    [
        ("passing", 0, "passed", "Pass: 95 of 100 samples pass"),
        ("failing", 3, "failed", "Fail: 40 of 100 samples pass"),
        ("inconclusive", 4, "warning", "Inconclusive: 83 of 100 samples pass"),
        ("incomplete", 1, "failed", "Broken run, pytest exited with 1"),
        ("mistaken", 1, "failed", "Broken run, pytest exited with 4"),
    ],
)
def test_the_job_tells_the_outcomes_apart(tmp_path, case, code, shown, last):
    returned, log, files = run(tmp_path, case)

    assert (returned, status(returned)) == (code, shown)
    assert log.splitlines()[-1].startswith(last)
    assert ("junit.xml" in files) is (case != "mistaken")


def test_artifacts_and_verdicts_are_kept_whatever_the_outcome():
    paid_for = next(cache for cache in JOB["cache"] if cache["key"] == "verdicts")

    assert (JOB["artifacts"]["when"], paid_for["when"]) == ("always", "always")
    assert JOB["artifacts"]["reports"] == {"junit": "out/evaluation/junit.xml"}
    assert f"{JOB['variables']['EVALS_VERDICT_STORE']}*" in paid_for["paths"]


def test_the_page_shows_the_same_two_commands():
    assert "\n".join(JOB["script"]) in PAGE.read_text()
