"""Killed at any moment, the same command goes on as if nothing had happened."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.contracts.files import sha256_file
from tests.training.conftest import command, killed_after
from training.checkpoints import newest_checkpoint, open_checkpoints, seal

pytestmark = pytest.mark.slow

# Dropout is on in GPT-2: that the random state comes back is part of what is tested.
LONG = ("--epochs", "30", "--batch-tokens", "512")


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_killed_training_ends_with_the_same_weights(classify, options, tmp_path, gpt2_folder, method):
    arguments = ["--base-model", str(gpt2_folder), "--method", method, "--lora-rank", "4", *LONG]
    whole = classify(*arguments, "--save-to", str(tmp_path / "whole"))
    out = tmp_path / "killed"
    line = [part for key, value in options.items() if key not in arguments for part in (key, value)]
    killed_after(2, out, command(*line, *arguments, "--save-to", str(out)))
    resumed = classify(*arguments, "--save-to", str(out))

    assert resumed.code == 0, resumed.stderr
    assert "continuing from checkpoint-" in resumed.stdout
    assert sha256_file(out / "model" / "model.safetensors") == sha256_file(whole.out / "model" / "model.safetensors")
    assert (out / "curves.csv").read_text() == (whole.out / "curves.csv").read_text()
    whole.metrics["training"].pop("seconds")
    assert resumed.metrics["test"] == whole.metrics["test"]


def test_other_settings_start_anew_and_say_so(classify, options, tmp_path):
    out = tmp_path / "out"
    line = [part for key, value in options.items() for part in (key, value)]
    killed_after(1, out, command(*line, *LONG, "--save-to", str(out)))
    run = classify("--seed", "7")

    assert run.code == 0, run.stderr
    assert "are of a training with other epochs, batch_tokens, seed; starting anew" in " ".join(run.stdout.split())
    assert "continuing" not in run.stdout


def checkpoint(folder: Path, step: int, *, sealed: bool = True) -> Path:
    path = folder / f"checkpoint-{step}"
    path.mkdir(parents=True)
    (path / "model.safetensors").write_bytes(b"weights %d" % step)
    if sealed:
        seal(path)
    return path


def test_a_half_written_checkpoint_is_passed_over(tmp_path):
    good = checkpoint(tmp_path, 9)
    half = checkpoint(tmp_path, 10, sealed=False)

    assert newest_checkpoint(tmp_path) == (good, [half])
    assert not half.exists()


def test_a_damaged_checkpoint_is_passed_over(tmp_path):
    good, damaged = checkpoint(tmp_path, 9), checkpoint(tmp_path, 10)
    (damaged / "model.safetensors").write_bytes(b"weights 1X")

    assert newest_checkpoint(tmp_path) == (good, [damaged])


def test_a_checkpoint_whose_best_is_gone_is_passed_over(tmp_path):
    newest = checkpoint(tmp_path, 10, sealed=False)
    (newest / "trainer_state.json").write_text('{"best_model_checkpoint": "elsewhere/checkpoint-5"}')
    seal(newest)
    assert newest_checkpoint(tmp_path) == (None, [newest])

    newest = checkpoint(tmp_path, 10, sealed=False)
    (newest / "trainer_state.json").write_text('{"best_model_checkpoint": "elsewhere/checkpoint-5"}')
    seal(newest)
    checkpoint(tmp_path, 5)
    assert newest_checkpoint(tmp_path) == (newest, [])


def test_the_checkpoints_of_another_training_are_removed(tmp_path):
    owner = {"seed": 1, "documents": "abc"}
    assert open_checkpoints(tmp_path / "c", owner) == []
    checkpoint(tmp_path / "c", 3)

    assert open_checkpoints(tmp_path / "c", owner) == []
    assert newest_checkpoint(tmp_path / "c")[0] is not None
    assert open_checkpoints(tmp_path / "c", owner | {"documents": "xyz"}) == ["documents"]
    assert newest_checkpoint(tmp_path / "c") == (None, [])
