"""Upload, create, watch, list and cancel, while all goes well and while not."""

from __future__ import annotations

import signal
from collections import Counter

import pytest

from fixtures.hosted_server import FilePlan, JobPlan, RequestFault
from tests.training.hosted.conftest import BASE, KEY, goes_wrong, read_json


def test_a_file_is_uploaded_once_and_again_only_if_it_is_gone(desk):
    train = desk.conversations(10)

    first, second = desk.run("upload", train), desk.run("upload", train)
    renamed = train.rename(desk.folder / "renamed.jsonl")
    third = desk.run("upload", renamed)
    (name,) = desk.server.store.files
    del desk.server.store.files[name]
    fourth = desk.run("upload", renamed)

    assert [run.code for run in (first, second, third, fourth)] == [0, 0, 0, 0]
    assert name in first.stdout
    assert name in third.stdout
    assert len(desk.asked("POST", "/files")) == 2
    assert list(desk.server.store.files) != [name]
    (stored,) = desk.server.store.files.values()
    assert stored.content == renamed.read_bytes()
    (entry,) = read_json(desk.folder / "out/hosted/uploads.json")
    assert entry["id"] == stored.about["id"]


def test_no_file_is_uploaded_if_one_is_faulty(desk):
    good, bad = desk.conversations(10), desk.write("bad.jsonl", [{"messages": []}])

    run = desk.run("upload", good, bad)

    assert run.code == 2
    assert f"{bad}: 1 row of 1 cannot be used" in run.error
    assert desk.server.requests == []


def test_a_file_that_is_processed_first_is_waited_for_and_a_refused_one_is_told(desk):
    goes_wrong(desk, files=[FilePlan(pending=2), FilePlan(error="Line 3 has no messages")])

    first = desk.run("upload", desk.conversations(10))
    second = desk.run("upload", desk.conversations(11, "other.jsonl"))
    third = desk.run("upload", desk.folder / "other.jsonl")

    assert first.code == 0, first.stderr
    assert len([request for request in desk.server.requests if request.method == "GET"]) == 2
    assert second.code == 2
    assert "the service refuses file-00000002: Line 3 has no messages" in second.error
    # A refused file is not taken for one that is there.
    assert "bytes uploaded" in third.stdout


def test_a_job_is_asked_for_in_todays_form(desk):
    train, evaluation = desk.conversations(12), desk.conversations(2, "eval.jsonl")

    job = desk.job(
        "--train-file", train, "--eval-file", evaluation, "--suffix", "support", "--seed", "7",
        "--n-epochs", "2", "--learning-rate-multiplier", "0.5", "--batch-size", "auto",
    )  # fmt: skip

    (body,) = desk.asked("POST", "/jobs")
    ids = {stored.about["filename"]: name for name, stored in desk.server.store.files.items()}
    assert body == {
        "model": BASE,
        "training_file": ids["train.jsonl"],
        "validation_file": ids["eval.jsonl"],
        "suffix": "support",
        "seed": 7,
        "method": {
            "type": "supervised",
            "supervised": {
                "hyperparameters": {"n_epochs": 2, "batch_size": "auto", "learning_rate_multiplier": 0.5},
            },
        },
    }
    created = read_json(desk.folder / f"out/hosted/{job}/created.json")
    assert created["request"] == body
    assert created["files"]["training_file"]["file"] == str(train)


def test_files_may_be_named_by_their_id(desk):
    desk.run("upload", desk.conversations(10))
    (name,) = desk.server.store.files

    desk.job("--train-file", name)

    assert desk.asked("POST", "/jobs")[0]["training_file"] == name
    assert len(desk.asked("POST", "/files")) == 1


def test_a_train_file_of_nine_is_refused_before_anything_is_sent(desk):
    run = desk.run("create", "--model", BASE, "--train-file", desk.conversations(9))

    assert run.code == 2
    assert "9 examples; at least 10 are needed" in run.error
    assert desk.server.requests == []


def test_a_job_whose_answer_got_lost_is_found_and_not_created_twice(desk):
    goes_wrong(desk, RequestFault(path="*/jobs", method="POST", fault="lost"))

    job = desk.job("--train-file", desk.conversations(10))

    assert list(desk.server.store.jobs) == [job]


def test_a_job_that_was_not_created_is_not_repeated_but_told(desk):
    goes_wrong(desk, RequestFault(path="*/jobs", method="POST", status=503))

    run = desk.run("create", "--model", BASE, "--train-file", desk.conversations(10))

    assert run.code == 1
    assert "no new job is listed" in run.error
    assert len(desk.asked("POST", "/jobs")) == 1


def test_a_job_that_was_turned_away_for_the_moment_is_asked_for_again(desk):
    goes_wrong(desk, RequestFault(path="*/jobs", method="POST", status=429, code="rate_limit_exceeded", times=2))

    job = desk.job("--train-file", desk.conversations(10))

    assert list(desk.server.store.jobs) == [job]
    assert len(desk.asked("POST", "/jobs")) == 3


@pytest.mark.parametrize("events", ["descending", "disordered"])
def test_each_event_is_shown_once_and_in_order(desk, events):
    goes_wrong(desk, jobs=[JobPlan(events=events)])
    # 240 steps: several pages.
    job = desk.job(
        "--train-file", desk.conversations(60), "--eval-file", desk.conversations(2, "e.jsonl"), "--n-epochs", 4
    )

    run = desk.run("watch", job, "--poll-seconds", "0.05")

    assert run.code == 0, run.stderr
    lines = [line[9:] for line in run.stdout.splitlines() if line[2:3] == ":"]
    assert max(Counter(lines).values()) == 1
    wanted = [f"Checkpoint created at step {step}" for step in (60, 120, 180)]
    if events == "descending":
        assert [line for line in lines if line.startswith("Check")] == wanted
        assert lines[0].startswith("Created fine-tuning job")
    assert set(wanted) < set(lines)
    assert [line.split(":")[0] for line in lines if "full validation" in line][-1] == "Step 240/240"
    assert f"model ft:{BASE}:fake::{job[-8:]}" in run.stdout


@pytest.mark.parametrize(
    ("plan", "code", "message"),
    [
        (JobPlan(outcome="failed", message="the training diverged"), 1, "failed: the training diverged"),
        (JobPlan(outcome="invalid"), 2, "failed: The job failed due to an invalid training file"),
    ],
)
def test_a_job_that_fails_ends_in_one_line(desk, plan, code, message):
    goes_wrong(desk, jobs=[plan])
    job = desk.job("--train-file", desk.conversations(10))

    run = desk.run("watch", job, "--poll-seconds", "0.05")

    assert run.code == code
    assert f"error: job {job} {message}" in run.error
    assert len(run.error.splitlines()) == 1
    assert plan.message in run.stdout or code == 2


def test_a_job_that_is_cancelled_while_watched(desk):
    goes_wrong(desk, jobs=[JobPlan(outcome="hanging")])
    job = desk.job("--train-file", desk.conversations(10))
    watching = desk.start("watch", job, "--poll-seconds", "0.05")
    assert watching.stdout
    while "started" not in watching.stdout.readline():
        pass

    cancelled = desk.run("cancel", job)
    stdout, stderr = watching.communicate(timeout=30)

    assert (cancelled.code, cancelled.stdout) == (0, f"job {job}: cancelled\n")
    assert watching.returncode == 1
    assert f"error: job {job} was cancelled" in stderr
    assert "Fine-tuning job cancelled" in stdout
    again = desk.run("cancel", job)
    assert again.code == 2
    assert "has already been cancelled" in again.error


def test_ctrl_c_stops_watching_not_the_job(desk):
    goes_wrong(desk, jobs=[JobPlan(outcome="hanging")])
    job = desk.job("--train-file", desk.conversations(10))
    watching = desk.start("watch", job, "--poll-seconds", "0.05")
    assert watching.stdout
    while "started" not in watching.stdout.readline():
        pass

    watching.send_signal(signal.SIGINT)
    _, stderr = watching.communicate(timeout=30)

    assert watching.returncode == 130
    assert "Traceback" not in stderr
    assert f"the job runs on: `python -m training hosted watch {job}` goes on" in stderr
    assert desk.server.store.job(job).status() == "running"


def test_watching_survives_an_unreachable_service(desk):
    job = desk.job("--train-file", desk.conversations(10), "--n-epochs", "10")
    goes_wrong(
        desk,
        RequestFault(path="*/events", fault="reset", times=2),
        RequestFault(path=f"*/{job}", skip=3, fault="error", status=502, times=2),
        RequestFault(path=f"*/{job}", skip=4, fault="truncated"),
    )

    run = desk.run("watch", job, "--poll-seconds", "0.05", "--max-retries", "0")

    assert run.code == 0, run.stderr
    assert "trying on for 1800 s" in run.stdout
    assert "the service answers again" in run.stdout
    assert "The job has successfully completed" in run.stdout


def test_watching_ends_when_patience_does_and_says_how_to_go_on(desk):
    job = desk.job("--train-file", desk.conversations(10))
    goes_wrong(desk, RequestFault(path="*/events", fault="reset", times=None))

    run = desk.run("watch", job, "--poll-seconds", "0.05", "--max-retries", "0", "--patience-seconds", "0.3")

    assert run.code == 1
    assert "no connection to 127.0.0.1" in run.error
    assert f"`python -m training hosted watch {job}` goes on" in run.error


def test_jobs_are_listed_newest_first_with_their_reason(desk):
    goes_wrong(desk, jobs=[JobPlan(outcome="invalid"), JobPlan()])
    empty = desk.run("list")
    jobs = [desk.job("--train-file", desk.conversations(10)) for _ in range(2)]
    desk.run("watch", jobs[1], "--poll-seconds", "0.05")

    everything, newest = desk.run("list"), desk.run("list", "--limit", "1")

    assert empty.stdout == "no jobs\n"
    assert [line.split()[0] for line in everything.stdout.splitlines()] == jobs[::-1]
    assert "failed: The job failed due to an invalid training file" in everything.stdout
    assert f"-> ft:{BASE}:fake::" in newest.stdout
    assert len(newest.stdout.splitlines()) == 1


def test_azure_by_its_base_url_and_its_own_key(desk):
    train = desk.conversations(10)
    azure = {"OPENAI_BASE_URL": None, "OPENAI_API_KEY": None, "AZURE_OPENAI_API_KEY": KEY}
    url = desk.server.url.replace("/v1", "/openai/v1/")

    run = desk.run("create", "--model", BASE, "--train-file", train, "--base-url", url, **azure)

    assert run.code == 0, run.stderr
    assert all(request.path.startswith("/openai/v1/") for request in desk.server.requests)
