"""Our own texts, and a small model that has been trained on none of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import ROOT

DATA = ROOT / "fixtures" / "pretraining"


@pytest.fixture
def learn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Any, Any]]:
    """Trains, in a second or two, up to where a model would be saved; returns the task and what was trained."""
    from rich.console import Console

    from training.pretrain.settings import PretrainSettings
    from training.pretrain.story import learn
    from training.pretrain.task import understand

    monkeypatch.setenv("CI", "1")

    def run(**settings: Any) -> tuple[Any, Any]:
        given = {
            "train_files": (str(DATA),), "base_model": "scratch:llama-tiny", "method": "full", "precision": "fp32",
            "save_to": tmp_path / "out", "min_steps": 0, "gradient_accumulation": 1, "max_length": 256,
        }  # fmt: skip
        task = understand(PretrainSettings(**{**given, **settings}), Console(quiet=True))
        return task, learn(task)

    return run
