"""Every log that is read, without being told which it is."""

from __future__ import annotations

import json
import os

import pytest

from tests.training.diagnosis.conftest import ACCURACY, STEPS, TRAIN, VALIDATION, table, write_events
from training.curves import write_curves


def test_the_guides_table_is_best_at_step_40(diagnose, shared_data):
    run = diagnose(shared_data / "openai-results" / "dashboard-ja.csv", "--format", "json")

    assert run.json["dialect"] == "OpenAI's dashboard"
    assert run.json["best"] == {
        "step": 40,
        "value": 0.615,
        "measure": "full_validation_loss",
        "heading": "Full Validation loss",
    }
    # Three full validations, and batches whose noise hides the rest.
    assert run.json["verdict"] == "cannot tell"


def test_a_real_result_file_without_validation_cannot_be_judged(diagnose, shared_data):
    run = diagnose(shared_data / "openai-results" / "nmapai_step_metrics.csv", "--format", "json")

    assert run.json["dialect"] == "OpenAI's step metrics"
    assert run.json["best"] is None
    assert (run.json["verdict"], run.json["reason"]) == ("cannot tell", "there is no validation loss")
    assert len(run.json["points"]) == 138


def test_a_real_result_file_of_noisy_batches_cannot_be_judged(diagnose, shared_data):
    run = diagnose(shared_data / "openai-results" / "historygpt_step_metrics.csv", "--format", "json")

    assert (run.json["best"]["step"], run.json["best"]["heading"]) == (50, "valid_loss")
    assert run.json["verdict"] == "cannot tell"


def events():
    """Job events as the API lists them: newest first, messages among them."""
    yield {"object": "fine_tuning.job.event", "type": "message", "message": "The job has completed", "data": {}}
    for step, train, validation, accuracy in reversed(list(zip(STEPS, TRAIN, VALIDATION, ACCURACY, strict=True))):
        figures = {"step": step, "total_steps": 80, "train_loss": train, "train_mean_token_accuracy": accuracy}
        figures |= {"full_valid_loss": validation, "full_valid_mean_token_accuracy": accuracy, "valid_loss": 1.0}
        yield {"object": "fine_tuning.job.event", "type": "metrics", "message": f"Step {step}/80", "data": figures}
    yield {"object": "fine_tuning.job.event", "type": "message", "message": "Fine-tuning job started", "data": None}


def state():
    history = []
    for step, train, validation in zip(STEPS, TRAIN, VALIDATION, strict=True):
        history.append({"step": step, "epoch": step / 10, "loss": train, "learning_rate": 1e-4})
        history.append({"step": step, "epoch": step / 10, "eval_loss": validation, "eval_runtime": 1.5})
    # The mean over the training, which is no point of the curve.
    history.append({"step": STEPS[-1], "train_loss": 0.57, "train_runtime": 60.0})
    return {"global_step": STEPS[-1], "best_metric": min(VALIDATION), "log_history": history}


def checkpoint(step, loss):
    metrics = {"full_valid_loss": loss, "full_valid_mean_token_accuracy": 0.7}
    return {"object": "fine_tuning.job.checkpoint", "step_number": step, "metrics": metrics}


CSV = {
    "curves.csv of this project": {
        "step": STEPS,
        "epoch": STEPS,
        "train_loss": TRAIN,
        "learning_rate": TRAIN,
        "gradient_norm": TRAIN,
        "validation_loss": VALIDATION,
        "validation_accuracy": ACCURACY,
        "validation_macro_f1": ACCURACY,
    },
    "OpenAI's dashboard": {
        "Time": ["18:27:04"] * 8,
        "Step": STEPS,
        "Training loss": TRAIN,
        "Validation loss": ACCURACY,
        "Full Validation loss": VALIDATION,
    },
    "OpenAI's step metrics": {
        "step": STEPS,
        "train_loss": TRAIN,
        "train_accuracy": ACCURACY,
        "valid_loss": VALIDATION,
        "valid_mean_token_accuracy": ACCURACY,
    },
    "Azure's results.csv": {
        "step": STEPS,
        "train_loss": TRAIN,
        "train_mean_token_accuracy": ACCURACY,
        "valid_loss": [-1] * 8,
        "validation_mean_token_accuracy": [-1] * 8,
        "full_valid_loss": VALIDATION,
        "full_valid_mean_token_accuracy": ACCURACY,
    },
}
JSON = {
    "Trainer's log": [json.dumps(state()), json.dumps(state(), indent=2)],
    "OpenAI's job events": [
        json.dumps({"object": "list", "data": list(events()), "has_more": False}, indent=2),
        json.dumps(list(events())),
        "".join(json.dumps(event) + "\n" for event in events()),
    ],
}


def verdict_of(run):
    assert run.code == 0, run.stderr
    return run.json["dialect"], run.json["best"]["step"], run.json["best"]["value"], run.json["verdict"]


@pytest.mark.parametrize("dialect", CSV)
def test_a_table_is_recognised_by_its_columns(diagnose, tmp_path, dialect):
    (tmp_path / "download.txt").write_text(table(CSV[dialect]))

    run = diagnose(tmp_path / "download.txt", "--format", "json")

    assert verdict_of(run) == (dialect, 30, 0.95, "overfitting")


@pytest.mark.parametrize(("dialect", "text"), [(name, text) for name, texts in JSON.items() for text in texts])
def test_json_is_recognised_by_its_keys(diagnose, tmp_path, dialect, text):
    (tmp_path / "download.txt").write_text(text)

    run = diagnose(tmp_path / "download.txt", "--format", "json")

    assert verdict_of(run) == (dialect, 30, 0.95, "overfitting")
    assert len(run.json["points"]) == 8


def test_the_checkpoints_of_a_hosted_job_name_the_best(diagnose, tmp_path):
    page = {"object": "list", "data": [checkpoint(60, 0.619), checkpoint(40, 0.615), checkpoint(20, 0.695)]}
    (tmp_path / "checkpoints.json").write_text(json.dumps(page))

    run = diagnose(tmp_path / "checkpoints.json", "--format", "json")

    assert (run.json["best"]["step"], run.json["verdict"]) == (40, "cannot tell")
    assert "3 points of full_valid_loss: so few that nothing can be said" in run.json["reason"]


def own_points():
    return [
        {"step": step, "epoch": step / 10, "train_loss": train, "validation_loss": validation}
        for step, train, validation in zip(STEPS, TRAIN, VALIDATION, strict=True)
    ]


def test_our_own_output_folder(diagnose, tmp_path):
    write_curves(tmp_path, own_points())

    run = diagnose(tmp_path, "--format", "json")

    assert verdict_of(run) == ("curves.csv of this project", 30, 0.95, "overfitting")
    assert run.json["source"] == str(tmp_path / "curves.csv")


def test_our_own_metrics(diagnose, tmp_path):
    (tmp_path / "metrics.json").write_text(json.dumps({"labels": ["a"], "training": {"curves": own_points()}}))

    assert verdict_of(diagnose(tmp_path / "metrics.json", "--format", "json"))[1:] == (30, 0.95, "overfitting")


def scalars(steps=STEPS):
    for step, train, validation in list(zip(STEPS, TRAIN, VALIDATION, strict=True))[: len(steps)]:
        yield from (("train/loss", step, train), ("eval/loss", step, validation), ("train/learning_rate", step, 1e-4))


@pytest.mark.parametrize("given", ["file", "run", "output folder"])
def test_tensorboard_events(diagnose, tmp_path, given):
    run_folder = write_events(tmp_path / "out" / "logs", scalars())
    path = {"file": next(run_folder.iterdir()), "run": run_folder, "output folder": tmp_path / "out"}[given]

    dialect, step, value, verdict = verdict_of(diagnose(path, "--format", "json"))

    assert (dialect, step, verdict) == ("TensorBoard's events", 30, "overfitting")
    assert value == pytest.approx(0.95)


def test_of_a_resumed_training_what_was_logged_last_counts(diagnose, tmp_path):
    write_events(tmp_path, [("train/loss", 10, 1.0), ("eval/loss", 10, 9.0)], wall_time=1)
    write_events(tmp_path, [("eval/loss", 10, 2.0)], wall_time=2)

    assert diagnose(tmp_path, "--format", "json").json["best"]["value"] == 2.0


@pytest.mark.parametrize("folder", ["checkpoint-80", ".", "checkpoints"])
def test_the_newest_checkpoint_of_trainer(diagnose, tmp_path, folder):
    place = tmp_path / "checkpoints" if folder == "checkpoints" else tmp_path
    for step in (80, 9):
        (place / f"checkpoint-{step}").mkdir(parents=True)
    (place / "checkpoint-80" / "trainer_state.json").write_text(json.dumps(state()))
    (place / "checkpoint-9" / "trainer_state.json").write_text(json.dumps({"log_history": []}))

    run = diagnose(tmp_path / "checkpoint-80" if folder == "checkpoint-80" else tmp_path, "--format", "json")

    assert verdict_of(run) == ("Trainer's log", 30, 0.95, "overfitting")


def test_of_several_logs_in_a_folder_the_newest_is_read(diagnose, tmp_path):
    write_curves(tmp_path, own_points())
    write_events(tmp_path / "logs", scalars(STEPS[:3]))
    os.utime(tmp_path / "curves.csv", (1, 1))

    run = diagnose(tmp_path, "--format", "json")

    assert run.json["source"] == str(tmp_path / "logs")


def test_of_several_runs_one_must_be_named(diagnose, tmp_path):
    for name in ("one", "two"):
        write_events(tmp_path / name, scalars())

    run = diagnose(tmp_path)

    assert run.code == 2
    assert run.stderr == f"error: {tmp_path}: more than one log may be meant; name one of one, two\n"


def test_a_lone_result_file_in_a_folder_is_read(diagnose, tmp_path):
    (tmp_path / "results.csv").write_text(table(CSV["Azure's results.csv"]))

    assert verdict_of(diagnose(tmp_path, "--format", "json"))[1:] == (30, 0.95, "overfitting")
