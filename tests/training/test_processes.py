"""Two processes train as one, and what would share a model out among them is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.training.conftest import environment, in_two_processes
from tests.training.tracking.conftest import in_tensorboard


@pytest.mark.slow
def test_two_processes_train_a_classifier_as_one(classify, options, gpt2_folder, tmp_path):
    base = shutil.copytree(gpt2_folder, tmp_path / "base")
    config = json.loads((base / "config.json").read_text())
    # Processes draw different dropouts.
    (base / "config.json").write_text(json.dumps(config | {"resid_pdrop": 0, "embd_pdrop": 0, "attn_pdrop": 0}))
    common = [
        "--base-model", str(base), "--batch-tokens", "128", "--epochs", "2", "--precision", "fp32",
    ]  # fmt: skip
    one = classify(*common, "--gradient-accumulation", "4", "--save-to", str(tmp_path / "one"))
    assert one.code == 0, one.stderr

    out = tmp_path / "two"
    line = [part for key, value in options.items() if key not in common for part in (key, value)]
    run = in_two_processes("classify", *line, *common, "--gradient-accumulation", "2", "--save-to", str(out))
    assert run.returncode == 0, run.stderr

    metrics = json.loads((out / "metrics.json").read_text())
    for part in ("validation", "test"):
        ours, theirs = metrics[part]["model"], one.metrics[part]["model"]
        assert ours["loss"] == pytest.approx(theirs["loss"], abs=1e-4)
        assert ours["confusion_matrix"] == theirs["confusion_matrix"]
    for ours, theirs in zip(metrics["training"]["curves"], one.metrics["training"]["curves"], strict=True):
        # The gradient's norm rounds most.
        assert ours == pytest.approx(theirs, abs=1e-3)
    left, right = (load_file(folder / "model" / "model.safetensors") for folder in (out, one.out))
    assert max((left[name] - right[name]).abs().max().item() for name in right) < 1e-4
    # One of the processes speaks for both, and is tracked.
    assert run.stdout.count("optimisation steps in 2 epochs") == 1
    assert len(list((out / "logs").iterdir())) == 1
    assert ("validation_loss", metrics["training"]["steps"]) in in_tensorboard(out)[0]


@pytest.mark.parametrize(
    ("variable", "what"),
    [
        ("ACCELERATE_USE_FSDP", "FSDP"),
        ("ACCELERATE_USE_DEEPSPEED", "DeepSpeed"),
        ("ACCELERATE_USE_MEGATRON_LM", "Megatron-LM"),
        ("ACCELERATE_USE_PARALLELISM_CONFIG", "a parallelism config"),
    ],
)
def test_sharding_is_refused_before_any_work(classify, variable, what):
    run = classify(**{variable: "true"})

    assert run.code == 2
    assert run.stderr.startswith(f"error: accelerate launch asks for {what} ({variable})")
    assert "start with torchrun, or see docs/distributed.md" in run.stderr
    assert not run.out.exists()


def accelerate_launch(*arguments: str, cwd: Path) -> str:
    run = subprocess.run(
        [sys.executable, "-m", "accelerate.commands.launch", *arguments], env=environment(), cwd=cwd,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode != 0
    return run.stderr


@pytest.mark.slow
def test_accelerate_launch_with_fsdp_is_refused(options, tmp_path):
    line = [part for option in options.items() for part in option]
    stderr = accelerate_launch(
        "--num_processes", "2", "--use_fsdp", "--fsdp_version", "2", "-m", "training", "classify", *line, cwd=tmp_path
    )

    assert "error: accelerate launch asks for FSDP (ACCELERATE_USE_FSDP)" in stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_accelerate_launch_that_starts_one_process_of_two_is_refused(options, tmp_path):
    line = [part for option in options.items() for part in option]
    stderr = accelerate_launch("--cpu", "--num_processes", "2", "-m", "training", "classify", *line, cwd=tmp_path)

    assert "error: accelerate launch --cpu was to start several processes and started one" in stderr
    assert not (tmp_path / "out").exists()
