"""``python -m plans run`` drives a Knitfab, whatever it does."""

from __future__ import annotations

import json

import pytest

from tests.plans.conftest import ALL_WELL, MEASURED, PASSED, TRAINED, verdict

OOM = {"image": "evaluate", "tag": "type:shard", "code": 137, "log": "Killed\n", "message": "OOMKilled"}


@pytest.mark.parametrize(
    ("outcome", "code"), [("pass", 0), ("fail", 3), ("inconclusive", 4), ("incomplete", 5), ("not evaluated", 5)]
)
def test_the_exit_code_is_the_gates(pipeline, outcome, code):
    pipeline.play(TRAINED, MEASURED, {"tag": "type:gate-policy", "files": verdict(outcome), "code": code})

    done = pipeline.run()

    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout.splitlines()[-1] == f"{outcome.capitalize()}: so it is."
    assert (pipeline.folder / "out/pipeline/report/report.json").is_file()
    assert (pipeline.folder / "out/pipeline/verdict/verdict.json").is_file()


def test_the_same_command_again_asks_for_nothing_twice(pipeline):
    pipeline.play(*ALL_WELL)
    pipeline.run()
    before = pipeline.requests()
    assert before == {("POST", "plans"): 3, ("POST", "data"): 4}

    assert pipeline.run().returncode == 0
    assert pipeline.requests() == before


def test_another_policy_gates_again_and_trains_nothing(pipeline):
    pipeline.play(*ALL_WELL)
    pipeline.run()
    pipeline.configure("policy", {"min_pass_rate": 0.99})

    assert pipeline.run().returncode == 0
    runs = pipeline.knit("run", "find")
    assert sorted(run["plan"].get("image", "upload").rpartition("-")[2] for run in runs) == [
        *["evaluate:v1.0"] * 3,
        "train:v1.0",
        *["upload"] * 5,
    ]


def test_a_failing_run_is_started_again(pipeline):
    pipeline.play({"image": "train", "code": 1, "message": "(container main) Error"}, *ALL_WELL)

    done = pipeline.run()

    assert done.returncode == 0, done.stderr
    assert "failed (exit code 1: (container main) Error); trying again" in done.stdout
    assert pipeline.requests()["PUT", "retry"] == 1


def test_an_evicted_pod_failed_whatever_its_exit_code_says(pipeline):
    pipeline.play({"image": "evaluate", "code": 0, "failed": True, "message": "Evicted"}, *ALL_WELL)

    done = pipeline.run()

    assert done.returncode == 0, done.stderr
    assert "failed (exit code 0: Evicted); trying again" in done.stdout


def test_a_run_that_fails_for_good_ends_with_its_log(pipeline):
    pipeline.play({"image": "train", "code": 1, "log": "torch.OutOfMemoryError\x1b[2J: CUDA\n", "times": None})

    done = pipeline.run("--retries", "2")

    assert done.returncode == 1
    assert "the end of its log:\n  torch.OutOfMemoryError\\x1b[2J: CUDA\n" in done.stderr
    assert pipeline.requests()["PUT", "retry"] == 2


@pytest.mark.parametrize(("image", "tag", "code"), [("train", None, 2), ("evaluate", "type:model", 4)])
def test_a_mistake_is_not_made_again(pipeline, image, tag, code):
    pipeline.play({"image": image, "tag": tag, "code": code, "log": "error: unknown key\n"}, *ALL_WELL)

    done = pipeline.run()

    assert done.returncode == 1
    assert "error: unknown key" in done.stderr
    assert pipeline.requests()["PUT", "retry"] == 0


def test_an_evaluation_that_was_stopped_is_started_again(pipeline):
    pipeline.play({"tag": "type:model", "code": 2, "message": "stopped by its node"}, *ALL_WELL)

    assert pipeline.run().returncode == 0


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "error", "status": 500, "times": 3},
        {"fault": "error", "status": 503, "path": "/api/runs", "times": 3},
        {"fault": "refused", "times": 3},
        {"fault": "slow", "seconds": 0.2, "times": 5},
        {"fault": "restart", "seconds": 1, "skip": 5},
        {"fault": "restart", "seconds": 1, "skip": 15},
        {"fault": "reset", "path": "/api/plans", "method": "POST"},
        {"fault": "reset", "path": "/api/data", "method": "POST"},
        {"fault": "reset", "path": "/api/data/*", "method": "PUT"},
        {"fault": "truncated", "path": "/api/data/*", "method": "GET"},
        {"fault": "reset", "path": "/api/data/*", "method": "GET"},
        {"fault": "truncated", "path": "/api/runs", "times": 2},
    ],
    ids=lambda fault: "-".join(map(str, fault.values())),
)
def test_a_server_in_trouble_costs_time_and_nothing_else(pipeline, fault):
    pipeline.play(*ALL_WELL, requests=[fault])

    done = pipeline.run()

    assert done.returncode == 0, done.stderr + done.stdout
    runs = [run for run in pipeline.knit("run", "find") if "image" in run["plan"]]
    assert len(runs) == 3
    assert (pipeline.folder / "out/pipeline/report/report.json").read_text() == "{}"


def test_a_run_that_hangs_gives_a_hint_and_the_same_command_goes_on(pipeline):
    pipeline.play({"image": "train", "hang": "starting", "files": TRAINED["files"]}, MEASURED, PASSED)

    done = pipeline.run("--timeout-minutes", "0.15", "--patience-minutes", "0.01")

    assert done.returncode == 1
    assert "is still starting; its image may be impossible to pull" in done.stdout
    assert "the same command again goes on waiting" in done.stderr

    pipeline.server.release()
    assert pipeline.run().returncode == 0
    assert pipeline.requests()["POST", "plans"] == 3


def test_a_deleted_run_is_not_waited_for_in_silence(pipeline):
    pipeline.play(*ALL_WELL)
    pipeline.run()
    runs = pipeline.knit("run", "find")
    [gate] = [
        run["runId"] for run in runs if any(tag == "type:gate-policy" for m in run["inputs"] for tag in m["tags"])
    ]
    pipeline.knit("run", "rm", gate)

    done = pipeline.run("--timeout-minutes", "0.15", "--patience-minutes", "0.01")

    assert done.returncode == 1
    assert "it makes none again if one was deleted" in done.stdout


def test_an_inactive_plan_is_activated_and_gets_its_resources(pipeline):
    pipeline.play(*ALL_WELL)
    pipeline.run("--memory", "8Gi")
    plans = [plan for plan in pipeline.knit("plan", "find") if plan.get("image", "").endswith("newsjudge-train:v1.0")]
    pipeline.knit("plan", "active", "no", plans[0]["planId"])

    done = pipeline.run("--memory", "16Gi")

    assert done.returncode == 0, done.stderr
    [plan] = [plan for plan in pipeline.knit("plan", "find") if plan.get("image", "").endswith("newsjudge-train:v1.0")]
    assert plan["active"]
    assert plan["resources"]["memory"] == "16Gi"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--knit", "no-such-knit"], "cannot start no-such-knit: No such file or directory; --knit names the command"),
        (["--configs", "elsewhere"], "cannot read elsewhere/train.json: No such file or directory"),
        (["--dataset", "elsewhere"], "elsewhere: no such folder"),
        (["--shards", "0"], "--shards is '0'"),
        (["--tag", "latest"], "--tag is 'latest': says nothing of what runs"),
    ],
)
def test_a_mistake_is_one_line(pipeline, options, message):
    done = pipeline.run(*options)

    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {message}")
    assert "Traceback" not in done.stderr


def test_a_verdict_without_a_verdict_is_no_pass(pipeline):
    pipeline.play(TRAINED, MEASURED, {"tag": "type:gate-policy", "files": {"/out/verdict/verdict.json": "{"}})

    done = pipeline.run()

    assert done.returncode == 1
    assert "verdict.json: no verdict in it" in done.stderr


class TestForReal:
    """The commands of the Plans are executed, on small data."""

    @pytest.fixture
    def pipeline(self, pipeline):
        import subprocess
        import sys

        command = [sys.executable, "-m", "training", "data", "--dataset", "embedded", "--save-to", "dataset"]
        subprocess.run(command, cwd=pipeline.folder, env=pipeline.environment, check=True, capture_output=True)
        pipeline.configure("train", {"base_model": "embedded:minilm", "method": "head", "max_length": 32})
        pipeline.configure("evaluate", {"num_samples": 60})
        return pipeline

    def test_a_half_written_model_is_refused(self, pipeline):
        # As `knit run stop` leaves it: done, with what was there at that moment.
        pipeline.play({"image": "train", "files": {"/out/model/config.json": "{}"}})

        done = pipeline.run()

        assert done.returncode == 1
        assert "manifest" in done.stderr
        assert "evaluate: 0 of 1 done, 1 failed" in done.stdout

    @pytest.mark.slow
    def test_train_evaluate_in_shards_and_gate(self, pipeline):
        pipeline.play({"tag": "type:shard", "code": 137, "message": "OOMKilled"})

        passed = pipeline.run("--shards", "2")
        assert passed.returncode == 0, passed.stdout + passed.stderr
        assert "failed (exit code 137: OOMKilled); trying again" in passed.stdout
        report = json.loads((pipeline.folder / "out/pipeline/report/report.json").read_text())
        assert len(report["samples"]) == 60

        pipeline.configure("policy", {"min_pass_rate": 0.999})
        failed = pipeline.run("--shards", "2")
        assert failed.returncode == 3, failed.stdout + failed.stderr
        assert failed.stdout.splitlines()[-1].startswith("Fail: ")
        assert (
            json.loads((pipeline.folder / "out/pipeline/verdict/verdict.json").read_text())["gate"]["outcome"] == "fail"
        )
