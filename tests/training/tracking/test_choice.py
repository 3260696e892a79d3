"""What is asked for wrongly, or is not installed, is said before any work."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from training.tracking.delivery import without_secrets


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("comet", "there is no tracker 'comet'; must be mlflow or wandb, or both with a comma"),
        ("mlflow,W&B", "there is no tracker 'W&B'"),
        ("tensorboard", "TensorBoard's logs are always written; leave it out"),
    ],
)
def test_an_unknown_tracker_is_refused(classify, given, said):
    run = classify("--track", given)

    assert run.code == 2
    assert "error: --track is" in run.stderr
    assert said in run.stderr
    assert not run.out.exists()


@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_a_tracker_that_is_not_installed_names_its_extra(classify, monkeypatch, name):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda wanted, *more: None if wanted == name else find(wanted))
    run = classify("--track", name)

    assert run.code == 2
    assert run.stderr == f'error: --track {name}: {name} is not installed; pip install "newsjudge[{name}]"\n'
    assert not run.out.exists()


def test_a_missing_tensorboard_is_told_and_no_obstacle(classify, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    run = classify()

    assert run.code == 0, run.stderr
    assert "note: tensorboard is not installed, so there are no logs for it" in run.stdout
    assert not (run.out / "logs").exists()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://me:secret@host:5000/api failed", "http://***@host:5000/api failed"),
        ("postgresql://u:p@ss@db/mlflow", "postgresql://***@db/mlflow"),
        ("http://host/path@2", "http://host/path@2"),
        ("a@b://c", "a@b://c"),
    ],
)
def test_passwords_in_addresses_are_hidden(text, shown):
    assert without_secrets(text) == shown
