"""The GitHub workflow, its steps executed in order: what each outcome looks like."""

from __future__ import annotations

import functools
import json

import pytest

from tests.ci.conftest import CASES, GITHUB, PAGE, check_out, environment, variables
from tests.ci.expressions import Payload, evaluate
from tests.ci.github_job import Annotation, Job, load

REPORTS = {"report.html", "report.json", "junit.xml", "deepeval-result.json", "summary.md", "verdict.json"}


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Run the job on a case's data.

    The copied product stands for an installed one, and predictions for a model: the embedded one is trained,
    installed and evaluated by `tox run -e quickstart`.
    """

    def run(case, *, skipped=frozenset({"Install"}), hits=frozenset({"model"})):
        checkout = check_out(tmp_path_factory.mktemp("checkout"), case)
        workflow = load(GITHUB)
        workflow["jobs"]["evaluate"]["env"] = variables(workflow["jobs"]["evaluate"]["env"], case)
        return checkout, Job(
            workflow,
            "evaluate",
            checkout,
            tmp_path_factory.mktemp("runner"),
            github={"run_id": 7, "run_attempt": 1},
            environment=environment(checkout),
            skipped=skipped,
            hits=hits,
        )

    return run


@pytest.fixture(scope="module")
def run(start):
    """The job of a case by its name, run once."""
    return functools.cache(lambda name: start(CASES[name]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "status", "evaluate", "gate", "kind", "title"),
    [
        ("passing", "success", "success", "success", "notice", "Gate passed"),
        ("failing", "failure", "success", "failure", "error", "Gate failed"),
        ("inconclusive", "failure", "success", "failure", "warning", "Gate inconclusive"),
    ],
)
def test_a_measurement_shows_the_verdict(run, case, status, evaluate, gate, kind, title):
    checkout, job = run(case)
    sentence = json.loads((checkout / "out/evaluation/verdict.json").read_text())["gate"]["sentence"]

    assert (job.status, job.steps["Evaluate"].outcome, job.steps["Gate"].outcome) == (status, evaluate, gate)
    assert job.annotations == [Annotation(kind, title, sentence)]
    assert sentence.split(",")[0] in job.summary
    assert job.artifacts["evaluation"] >= REPORTS | {"comment.md"}


@pytest.mark.slow
def test_missing_verdicts_are_a_broken_run_with_all_reports(run):
    _, job = run("incomplete")

    assert (job.status, job.steps["Evaluate"].outcome) == ("failure", "failure")
    said = "step Evaluate: failure; Incomplete: the judge gave no verdict on 53 of 100 samples; 47 of 47 others pass."
    assert job.annotations == [Annotation("error", "Broken run", said)]
    assert job.summary.startswith("# Evaluation: incomplete")
    assert job.artifacts["evaluation"] >= REPORTS | {"comment.md"}


def test_a_mistake_is_a_broken_run_without_report(run):
    _, job = run("mistaken")

    assert (job.status, job.steps["Evaluate"].outcome) == ("failure", "failure")
    assert "EVALS_NUM_SAMPLES is 'plenty'" in job.steps["Evaluate"].output
    assert [(one.kind, one.title) for one in job.annotations] == [("error", "Broken run")]
    assert job.summary == "# Evaluation: broken run, no report\n"
    assert job.artifacts["evaluation"] == {"comment.md"}


@pytest.mark.slow
@pytest.mark.parametrize("case", ["failing", "incomplete"])
def test_verdicts_are_saved_where_they_are_restored_whatever_the_outcome(run, case):
    checkout, job = run(case)
    restored, saved = job.steps["Restore the verdicts"].given, job.steps["Save the verdicts"].given

    assert saved == {"path": restored["path"], "key": "verdicts-7-1"}
    assert restored["key"] == saved["key"]
    assert saved["key"].startswith(restored["restore-keys"])
    assert [file.name for pattern in saved["path"].split() for file in checkout.glob(pattern)] == ["verdicts.sqlite"]


@pytest.mark.parametrize(("hits", "outcome"), [(set(), "success"), ({"model"}, "skipped")], ids=["new", "cached"])
def test_a_model_is_trained_and_saved_unless_the_cache_has_this_very_one(start, hits, outcome):
    _, job = start(CASES["mistaken"], skipped={"Install", "Train"}, hits=hits)

    assert "restore-keys" not in job.steps["Restore the model"].given
    assert (job.steps["Train"].outcome, job.steps["Save the model"].outcome) == (outcome, outcome)


OWN = {"repository": "us/news", "event_name": "pull_request"}


@pytest.mark.parametrize(
    ("github", "ours"),
    [
        ({"repository": "us/news", "event_name": "push", "event": Payload()}, True),
        (OWN | {"event": Payload({"pull_request": {"head": {"repo": {"full_name": "us/news"}}}})}, True),
        (OWN | {"event": Payload({"pull_request": {"head": {"repo": {"full_name": "they/news"}}}})}, False),
    ],
    ids=["push", "own branch", "fork"],
)
def test_the_page_tells_forks_apart(github, ours):
    lines = PAGE.read_text().splitlines()
    judge = next(line for line in lines if line.startswith("EVALS_JUDGE: ${{")).removeprefix("EVALS_JUDGE: ${{")
    condition = next(line for line in lines if line.startswith("if: github.event_name")).removeprefix("if:")

    assert evaluate(judge.removesuffix("}}"), {"github": github}, {}) == ("openai:gpt-4o-mini" if ours else "rubric")
    assert evaluate(condition, {"github": github}, {}) is ours
