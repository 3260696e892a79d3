"""Our own preferences, and small models that they can be learned by."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import ROOT

DATA = ROOT / "fixtures" / "preferences"


def read_pairs(name: str) -> list[dict[str, Any]]:
    """Preferences of our own data set: ``train`` or ``eval``."""
    return [json.loads(line) for line in (DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def learn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Any, Any]]:
    """Trains, in a second or two, up to where a model would be saved; returns the task and what was trained."""
    from rich.console import Console

    from training.prefer.settings import PreferSettings
    from training.prefer.story import learn
    from training.prefer.task import understand

    monkeypatch.setenv("CI", "1")

    def run(**settings: Any) -> tuple[Any, Any]:
        given = {
            "train_file": DATA / "train.jsonl", "eval_file": DATA / "eval.jsonl", "base_model": "scratch:llama-tiny",
            "method": "full", "precision": "fp32", "save_to": tmp_path / "out", "min_steps": 0,
        }  # fmt: skip
        task = understand(PreferSettings(**{**given, **settings}), Console(quiet=True))
        return task, learn(task)

    return run
