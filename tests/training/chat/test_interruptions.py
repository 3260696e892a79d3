"""Killed, or spread over two processes, a training comes to the same end."""

from __future__ import annotations

import json
import signal
import sys

import pytest
from safetensors.torch import load_file

from fixtures.contracts.files import sha256_file
from tests.training.conftest import in_two_processes, killed_after
from training.causal.trainer import RowTrainer

pytestmark = pytest.mark.slow


def line(few, models, out, *more):
    """A training with dropout, so that the random state must come back as well."""
    return [
        "chat", *(part for option in few.items() for part in option), "--base-model", str(models("gpt2")),
        "--method", "lora", "--lora-dropout", "0.2", "--learning-rate", "1e-2", "--batch-size", "2",
        "--epochs", "20", "--save-to", str(out), *more,
    ]  # fmt: skip


def command(arguments):
    return [sys.executable, "-m", "training", *arguments, "--precision", "fp32", "--min-steps", "0"]


@pytest.mark.parametrize("more", [(), ("--packing", "--max-length", "200")], ids=["rows", "packed"])
def test_a_killed_training_ends_with_the_same_weights(chat, few, models, tmp_path, more):
    whole = chat(*line(few, models, tmp_path / "whole", *more)[1:])
    out = tmp_path / "killed"
    killed_after(2, out, command(line(few, models, out, *more)))
    resumed = chat(*line(few, models, out, *more)[1:])

    assert resumed.code == 0, resumed.stderr
    assert "continuing from checkpoint-" in resumed.stdout
    assert resumed.metrics["validation"] == whole.metrics["validation"]
    assert (out / "curves.csv").read_text() == (whole.out / "curves.csv").read_text()
    weights = "model/model.safetensors"
    assert sha256_file(out / weights) == sha256_file(whole.out / weights)


def test_asked_to_stop_it_saves_and_says_how_to_go_on(chat, monkeypatch):
    step = RowTrainer.training_step

    def training_step(self, *args, **kwargs):
        if self.state.global_step + 1 == 3:
            signal.raise_signal(signal.SIGTERM)
        return step(self, *args, **kwargs)

    monkeypatch.setattr(RowTrainer, "training_step", training_step)
    run = chat("--epochs", "4")

    assert run.code == 130
    assert "the same command goes on from the newest checkpoint in" in run.stderr
    assert (run.out / "checkpoints" / "checkpoint-3" / "complete.json").exists()


def test_other_conversations_start_anew(chat, few, models, tmp_path):
    out = tmp_path / "killed"
    killed_after(1, out, command(line(few, models, out)))
    run = chat(*line({**few, "--train-file": few["--eval-file"]}, models, out)[1:], "--epochs", "1")

    assert run.code == 0, run.stderr
    assert "are of a training with other conversations" in run.stdout.replace("epochs, ", "")
    assert "continuing" not in run.stdout


def test_two_processes_train_as_one(chat, few, models, tmp_path):
    common = (
        "--base-model", str(models("llama")), "--method", "lora", "--lora-dropout", "0", "--learning-rate", "1e-2",
        "--batch-size", "1", "--epochs", "3",
    )  # fmt: skip
    one = chat(*common, "--gradient-accumulation", "4", "--save-to", str(tmp_path / "one"))
    assert one.code == 0, one.stderr

    out = tmp_path / "two"
    options = [part for option in few.items() for part in option]
    run = in_two_processes(
        "chat", *options, *common, "--gradient-accumulation", "2", "--save-to", str(out), "--precision", "fp32",
        "--min-steps", "0",
    )  # fmt: skip
    assert run.returncode == 0, run.stderr

    metrics = json.loads((out / "metrics.json").read_text())
    for key in ("loss", "accuracy"):
        assert metrics["validation"]["model"][key] == pytest.approx(one.metrics["validation"]["model"][key], abs=1e-4)
    for ours, theirs in zip(metrics["training"]["curves"], one.metrics["training"]["curves"], strict=True):
        assert {key: ours[key] for key in ("step", "epoch")} == {key: theirs[key] for key in ("step", "epoch")}
        # Not the accuracy in training: that is trl's mean over batches.
        for key in ("train_loss", "validation_loss", "validation_accuracy"):
            assert ours.get(key) == pytest.approx(theirs.get(key), abs=1e-4)
    left = load_file(out / "model" / "model.safetensors")
    right = load_file(one.out / "model" / "model.safetensors")
    assert max((left[name] - right[name]).abs().max().item() for name in right) < 1e-3
    # One of the processes speaks for both.
    assert run.stdout.count("3 epochs in all") == 1
