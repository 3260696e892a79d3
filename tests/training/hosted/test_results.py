"""What a job leaves behind, with the real tables of losses."""

from __future__ import annotations

import csv

import pytest

from fixtures.hosted_server import JobPlan, RequestFault
from tests.training.hosted.conftest import goes_wrong, read_json

QUICK = ("--poll-seconds", "0.05")


def finished(desk, plan: JobPlan, *arguments: object) -> str:
    goes_wrong(desk, jobs=[plan])
    job = desk.job("--train-file", desk.conversations(20), *arguments)
    run = desk.run("watch", job, *QUICK)
    assert run.code == 0, run.stderr
    return job


@pytest.mark.parametrize("coding", ["base64", "plain"])
def test_the_guides_table_names_the_checkpoint_of_step_40(desk, shared_data, coding):
    table = shared_data / "openai-results" / "dashboard-ja.csv"
    job = finished(desk, JobPlan(curves=table, results=coding))

    run = desk.run("results", job)

    assert run.code == 0, run.stderr
    model = read_json(desk.folder / f"out/hosted/{job}/job.json")["fine_tuned_model"]
    assert (
        f"best checkpoint: step 40, full_valid_loss 0.615, the lowest of those kept: {model}:ckpt-step-40" in run.stdout
    )
    assert "step 40, by the lowest full_valid_loss: 0.615" in run.stdout
    folder = desk.folder / "out/hosted" / job
    with table.open(newline="") as real, (folder / "results.csv").open(newline="") as ours:
        wanted = {int(row["Step"]): float(row["Training loss"]) for row in csv.DictReader(real)}
        assert {int(row["step"]): float(row["train_loss"]) for row in csv.DictReader(ours)} == wanted
    assert (folder / "curves.svg").read_text().startswith("<?xml")
    assert [row["step_number"] for row in read_json(folder / "checkpoints.json")] == [20, 40, 60]


def test_a_real_result_file_without_validation_names_no_best(desk, shared_data):
    job = finished(desk, JobPlan(curves=shared_data / "openai-results" / "nmapai_step_metrics.csv"))

    run = desk.run("results", job)

    assert run.code == 0, run.stderr
    assert "none can be named without a validation loss" in run.stdout


def test_a_result_file_that_comes_late_is_waited_for(desk):
    job = finished(desk, JobPlan(results_late=4), "--eval-file", desk.conversations(2, "eval.jsonl"))

    run = desk.run("results", job, *QUICK)

    assert run.code == 0, run.stderr
    assert run.stdout.count("waiting up to 60 s for the result file") == 1
    assert (desk.folder / f"out/hosted/{job}/results.csv").is_file()


def test_without_a_result_file_the_curves_are_those_of_the_events(desk, shared_data):
    table = shared_data / "openai-results" / "dashboard-ja.csv"
    job = finished(desk, JobPlan(curves=table, results_late=10**6, events="disordered"))

    run = desk.run("results", job, *QUICK, "--patience-seconds", "0.2")

    assert run.code == 0, run.stderr
    assert "the service names no result file yet" in run.stdout
    assert "OpenAI's job events, 60 steps, steps 1 to 60" in run.stdout
    assert "step 40, by the lowest full_valid_loss: 0.615" in run.stdout
    assert not (desk.folder / f"out/hosted/{job}/results.csv").exists()


def test_checkpoints_that_the_service_does_not_know_of(desk):
    job = finished(desk, JobPlan(checkpoints=False))

    run = desk.run("results", job)

    assert run.code == 0, run.stderr
    assert "checkpoints: the service names none" in run.stdout


@pytest.mark.parametrize("coding", ["base64", "plain"])
def test_a_result_file_that_came_cut_off_is_fetched_again(desk, coding):
    job = finished(desk, JobPlan(results=coding))
    goes_wrong(desk, RequestFault(path="*/content", fault="truncated"), RequestFault(path="*/content", fault="lost"))

    run = desk.run("results", job)

    assert run.code == 0, run.stderr
    assert "warning" not in run.stdout
    rows = (desk.folder / f"out/hosted/{job}/results.csv").read_text().splitlines()
    assert len(rows) == 61


def test_a_result_file_that_always_comes_cut_off_is_not_passed_off_as_whole(desk):
    job = finished(desk, JobPlan(results="plain"))
    goes_wrong(desk, RequestFault(path="*/content", fault="truncated", times=None))

    run = desk.run("results", job)

    assert "its end may be missing" in run.stdout
    assert "results.csv: " in run.stdout


@pytest.mark.parametrize(
    ("plan", "message"), [("hanging", "there are no results yet"), ("failed", "is failed: only a")]
)
def test_a_job_without_results_is_told(desk, plan, message):
    goes_wrong(desk, jobs=[JobPlan(outcome=plan)])
    job = desk.job("--train-file", desk.conversations(10))
    if plan == "failed":
        desk.run("watch", job, *QUICK)

    run = desk.run("results", job)

    assert run.code == 2
    assert message in run.error
