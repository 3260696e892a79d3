"""Asked to stop, by Ctrl-C or as Kubernetes asks, a training keeps what it has done and says how to go on."""

from __future__ import annotations

import signal
import subprocess
import time

import pytest

from fixtures.contracts.files import sha256_file
from tests.training.conftest import command, environment
from training import stopping
from training.trainer import ClassifierTrainer

LONG = ("--epochs", "10", "--batch-tokens", "256")


def during_step(number, act, monkeypatch):
    """Have ``act`` called within an optimisation step."""
    step = ClassifierTrainer.training_step

    def training_step(self, *args, **kwargs):
        if self.state.global_step + 1 == number:
            act()
        return step(self, *args, **kwargs)

    monkeypatch.setattr(ClassifierTrainer, "training_step", training_step)


def checkpoints(out):
    return sorted(int(path.parent.name.split("-")[1]) for path in out.glob("checkpoints/checkpoint-*/complete.json"))


@pytest.mark.slow
def test_a_stopped_training_is_saved_and_ends_with_the_same_weights(classify, tmp_path, monkeypatch, gpt2_folder):
    # Dropout is on in GPT-2: that the random state comes back is part of what is tested.
    arguments = [*LONG, "--base-model", str(gpt2_folder)]
    whole = classify(*arguments, "--save-to", str(tmp_path / "whole"))
    with monkeypatch.context() as patch:
        during_step(13, lambda: signal.raise_signal(signal.SIGTERM), patch)
        stopped = classify(*arguments)

    assert stopped.code == 130
    assert not (stopped.out / "model" / "manifest.json").exists()
    # Evaluated, and saved, is after each epoch of 5 steps.
    assert checkpoints(stopped.out)[-1] == 13
    assert "the same command goes on from the newest checkpoint" in stopped.stderr

    resumed = classify(*arguments)
    assert resumed.code == 0, resumed.stderr
    assert "continuing from checkpoint-13" in resumed.stdout
    weights = "model/model.safetensors"
    assert sha256_file(resumed.out / weights) == sha256_file(whole.out / weights)


def twice():
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGTERM)


def endless_step():
    signal.raise_signal(signal.SIGTERM)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        time.sleep(0.01)


@pytest.mark.parametrize("act", [twice, endless_step])
def test_who_insists_or_waits_too_long_stops_it_at_once(classify, monkeypatch, act):
    monkeypatch.setattr(stopping, "PATIENCE", 0.5)
    during_step(13, act, monkeypatch)
    run = classify(*LONG)

    assert run.code == 130
    assert checkpoints(run.out)[-1] == 10
    assert "the same command goes on from the newest checkpoint" in run.stderr


def test_stopped_before_the_first_checkpoint_it_says_so(classify, monkeypatch):
    during_step(1, twice, monkeypatch)
    run = classify(*LONG)

    assert run.code == 130
    assert "before the first checkpoint; the same command starts anew" in run.stderr


@pytest.mark.slow
def test_sigterm_ends_a_training_within_the_grace_period(options, tmp_path):
    out = tmp_path / "out"
    line = [part for key, value in options.items() for part in (key, value)]
    process = subprocess.Popen(
        command(*line, *LONG, "--epochs", "1000", "--save-to", str(out)),
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 120
        while not checkpoints(out):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.02)
        asked = time.monotonic()
        process.terminate()
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()

    assert process.returncode == 130
    assert time.monotonic() - asked < 25
    assert "the same command goes on from the newest checkpoint" in said
    assert "Traceback" not in said
