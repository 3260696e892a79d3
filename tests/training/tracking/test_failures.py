"""Servers that go away, trainings that are killed: neither costs the other anything."""

from __future__ import annotations

import signal

import pytest

from tests.training.tracking.conftest import (
    curves,
    final_figures,
    in_mlflow,
    in_tensorboard,
    in_wandb,
    start,
    times_in_tensorboard,
    wait_for,
    wandb_records,
)

pytestmark = pytest.mark.slow

HEADLESS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}


def sealed(out, count):
    return lambda: len(list(out.glob("checkpoints/checkpoint-*/complete.json"))) >= count


def test_a_killed_training_goes_on_in_the_same_runs(server, classes, tmp_path):
    out = tmp_path / "out"
    line = [*classes, "--track", "mlflow,wandb", "--save-to", out]
    # A password in the address, which must not be written anywhere.
    variables = {
        "MLFLOW_TRACKING_URI": server.uri.replace("//", "//me:hunter2@"),
        "MLFLOW_EXPERIMENT_NAME": "killed",
        "WANDB_PROJECT": "of-mine",
        "WANDB_RUN_NAME": "as-in-the-workshop",
    }
    process = start(*line, **variables)
    wait_for(sealed(out, 2), process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    process = start(*line, **variables)
    stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr
    assert "continuing from checkpoint-" in stdout

    (run,) = server.runs("killed")
    assert run.info.status == "FINISHED"
    assert f"mlflow: goes on in run {run.info.run_id} in http://***@127.0.0.1:{server.port}" in stdout
    points, final = in_mlflow(server.client(), run.info.run_id)
    assert points == curves(out)
    assert final == final_figures(out)
    # TensorBoard keeps figures in 32 bits.
    assert in_tensorboard(out)[0] == pytest.approx(curves(out), rel=1e-6)
    assert in_wandb(out)[0] == curves(out)
    assert len(list((out / "wandb").glob("offline-run-*"))) == 2
    assert len({folder.name.rpartition("-")[2] for folder in (out / "wandb").glob("offline-run-*")}) == 1
    (named,) = (record.run for record in wandb_records(out) if record.WhichOneof("record_type") == "run")
    assert (named.project, named.display_name) == ("of-mine", "as-in-the-workshop")
    for path in [*out.rglob("*"), *server.folder.rglob("*")]:
        assert path.is_dir() or b"hunter2" not in path.read_bytes(), path
    assert "hunter2" not in stdout + stderr


def test_a_server_that_comes_back_gets_what_it_missed(server, classes, tmp_path, monkeypatch):
    out, told = tmp_path / "out", tmp_path / "stdout"
    with told.open("w") as stdout:
        process = start(
            *classes, "--epochs", "60", "--track", "mlflow", "--save-to", out, stdout=stdout,
            MLFLOW_TRACKING_URI=server.uri, MLFLOW_EXPERIMENT_NAME="back", **HEADLESS,
        )  # fmt: skip
        wait_for(sealed(out, 1), process)
        server.stop()
        wait_for(lambda: "warning: mlflow failed" in told.read_text(), process)
        # On a busy machine the server takes longer to come back than the training to end.
        process.send_signal(signal.SIGSTOP)
        server.start()
        process.send_signal(signal.SIGCONT)
        _, stderr = process.communicate()
    assert process.returncode == 0, stderr

    assert "the training goes on, and what is missing there is sent when it answers again" in told.read_text()
    assert "mlflow answers again, and has everything so far" in told.read_text()
    assert "did not get all" not in told.read_text()
    (run,) = server.runs("back")
    assert run.info.status == "FINISHED"
    assert in_mlflow(server.client(), run.info.run_id) == (curves(out), final_figures(out))


def test_what_came_in_though_the_answer_was_lost_is_there_once(server, classify, monkeypatch):
    from mlflow import MlflowClient

    log_batch, calls = MlflowClient.log_batch, []

    def answer_lost(self, *args, **kwargs):
        log_batch(self, *args, **kwargs)
        calls.append(kwargs)
        if len(calls) in (3, 4):
            raise ConnectionResetError("Connection reset by peer")

    monkeypatch.setattr(MlflowClient, "log_batch", answer_lost)
    monkeypatch.setattr("training.tracking.delivery.FIRST_PAUSE", 0.0)
    run = classify(
        "--track", "mlflow", MLFLOW_TRACKING_URI=server.uri, MLFLOW_EXPERIMENT_NAME="lost", **HEADLESS
    )  # fmt: skip

    assert run.code == 0, run.stderr
    assert "warning: mlflow failed (Connection reset by peer)" in run.stdout
    assert "mlflow answers again" in run.stdout
    assert calls[2] == calls[3] == calls[4]
    (tracked,) = server.runs("lost")
    assert in_mlflow(server.client(), tracked.info.run_id) == (curves(run.out), final_figures(run.out))


def test_what_waited_has_the_time_when_it_was_measured(server, classify, monkeypatch):
    from mlflow import MlflowClient

    log_batch, calls = MlflowClient.log_batch, []

    def away(self, *args, **kwargs):
        calls.append(kwargs)
        if len(calls) == 3:
            raise ConnectionRefusedError("Connection refused")
        log_batch(self, *args, **kwargs)

    # The next try is the one at the end.
    monkeypatch.setattr(MlflowClient, "log_batch", away)
    run = classify(
        "--track", "mlflow", MLFLOW_TRACKING_URI=server.uri, MLFLOW_EXPERIMENT_NAME="waited", **HEADLESS
    )  # fmt: skip

    assert run.code == 0, run.stderr
    assert "mlflow answers again" in run.stdout
    (tracked,) = server.runs("waited")
    for name in ("train_loss", "validation_loss"):
        history = server.client().get_metric_history(tracked.info.run_id, name)
        times = {metric.step: metric.timestamp / 1000 for metric in history}
        assert times == pytest.approx(times_in_tensorboard(run.out, name), abs=0.002)
        assert len(times) > 1


def test_a_server_that_stays_away_costs_nothing_but_the_tracking(server, classes, tmp_path):
    out = tmp_path / "out"
    process = start(
        *classes, "--track", "mlflow", "--save-to", out,
        MLFLOW_TRACKING_URI=server.uri, MLFLOW_EXPERIMENT_NAME="away", **HEADLESS,
    )  # fmt: skip
    wait_for(sealed(out, 1), process)
    server.stop()
    stdout, stderr = process.communicate()
    server.start()

    assert process.returncode == 0, stderr
    assert stdout.count("warning: mlflow failed (") == 1
    assert f"warning: mlflow did not get all of this training; curves.csv and metrics.json in {out} are" in stdout
    assert (out / "model" / "manifest.json").exists()
    assert curves(out)
    assert "Traceback" not in stdout + stderr


def test_an_interrupted_run_is_shown_as_that(server, classify, monkeypatch):
    from training.trainer import ClassifierTrainer

    step = ClassifierTrainer.training_step

    def training_step(self, *args, **kwargs):
        if self.state.global_step + 1 == 3:
            signal.raise_signal(signal.SIGTERM)
        return step(self, *args, **kwargs)

    monkeypatch.setattr(ClassifierTrainer, "training_step", training_step)
    run = classify(
        "--track", "mlflow", MLFLOW_TRACKING_URI=server.uri, MLFLOW_EXPERIMENT_NAME="interrupted", **HEADLESS
    )  # fmt: skip

    assert run.code == 130
    (tracked,) = server.runs("interrupted")
    assert tracked.info.status == "KILLED"
    assert ("train_loss", 3) in in_mlflow(server.client(), tracked.info.run_id)[0]


def test_a_failed_training_is_shown_as_that(server, classify):
    run = classify(
        "--track", "mlflow", "--learning-rate", "1e30", "--precision", "fp32",
        MLFLOW_TRACKING_URI=server.uri, MLFLOW_EXPERIMENT_NAME="failed", **HEADLESS,
    )  # fmt: skip

    assert run.code == 1
    assert [one.info.status for one in server.runs("failed")] == ["FAILED"]


def test_training_the_last_layer_is_tracked_too(server, classify, bert_folder):
    run = classify(
        "--track", "mlflow", "--method", "head", "--base-model", str(bert_folder), "--learning-rate", "1e-3",
        MLFLOW_TRACKING_URI=server.uri, MLFLOW_EXPERIMENT_NAME="head", **HEADLESS,
    )  # fmt: skip

    assert run.code == 0, run.stderr
    (tracked,) = server.runs("head")
    assert (tracked.info.status, tracked.data.params["method"]) == ("FINISHED", "head")
    assert in_mlflow(server.client(), tracked.info.run_id)[1] == final_figures(run.out)
    (model,) = server.client().search_logged_models([tracked.info.experiment_id])
    assert model.source_run_id == tracked.info.run_id


def test_a_server_that_is_not_there_is_an_error_before_any_work(classify):
    run = classify("--track", "mlflow", MLFLOW_TRACKING_URI="http://me:hunter2@127.0.0.1:9", **HEADLESS)

    assert run.code == 2
    assert run.stderr.startswith("error: --track mlflow does not work: ")
    assert "hunter2" not in run.stderr + run.stdout
    assert "Traceback" not in run.stderr
    assert not (run.out / "checkpoints").exists() or not list((run.out / "checkpoints").glob("checkpoint-*"))


def test_a_key_that_wandb_does_not_take_is_an_error_before_any_work(classes, tmp_path):
    process = start(
        *classes, "--track", "wandb", "--save-to", tmp_path / "out",
        WANDB_API_KEY="k" * 40, WANDB_BASE_URL="http://127.0.0.1:9", HOME=str(tmp_path),
    )  # fmt: skip
    stdout, stderr = process.communicate()

    assert process.returncode == 2
    assert "error: --track wandb does not work: " in stderr
    assert "; WANDB_MODE=offline needs no server" in stderr
    assert "k" * 40 not in stdout + stderr


def test_a_failing_disk_costs_nothing_but_the_tracking(classify, monkeypatch):
    def full(self, *args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("training.tracking.to_tensorboard.TensorBoard.point", full)
    run = classify()

    assert run.code == 0, run.stderr
    assert "warning: TensorBoard failed ([Errno 28] No space left on device)" in run.stdout
    assert "warning: TensorBoard did not get all of this training" in run.stdout
