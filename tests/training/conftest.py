"""Small data, small models, and the command line as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from training.__main__ import main

ROOT = Path(__file__).parents[2]

WORDS = {
    "space": "orbit rocket launch satellite moon crew shuttle probe lander telescope",
    "sport": "goal match referee season coach league stadium striker penalty trophy",
    "money": "bank share profit market bond rate dividend merger investor quarter",
}


@dataclass(frozen=True)
class Run:
    """How a command ended, and where it wrote."""

    code: int
    stdout: str
    stderr: str
    out: Path

    @property
    def manifest(self) -> dict[str, Any]:
        return json.loads((self.out / "model" / "manifest.json").read_text())

    @property
    def metrics(self) -> dict[str, Any]:
        return json.loads((self.out / "metrics.json").read_text())


def environment(**extra: str) -> dict[str, str]:
    """The environment without anything that would reach into the run."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("TRAINING_")}
    return {**kept, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", **extra}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "training", "classify", *arguments]


def killed_after(checkpoints: int, out: Path, line: Sequence[str]) -> None:
    """Run a command that trains to ``out``, and kill -9 it once it has so many checkpoints."""
    process = subprocess.Popen(line, env=environment(CI="1"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 180
    while len(list(out.glob("checkpoints/checkpoint-*/complete.json"))) < checkpoints:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.communicate()


def in_two_processes(*arguments: str) -> subprocess.CompletedProcess[str]:
    """``python -m training`` with these arguments, by torchrun."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    return subprocess.run(
        [*torchrun, "-m", "training", *arguments], capture_output=True, text=True, env=environment(CI="1"), check=False
    )


def write_dataset(folder: Path, train: Sequence[tuple[str, str]], test: Sequence[tuple[str, str]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("train", train), ("test", test)):
        lines = [json.dumps({"text": text, "label": label}) for text, label in rows]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def documents(count: int, seed: int) -> list[tuple[str, str]]:
    """``count`` documents whose words tell their label, of different lengths."""
    import random

    chance = random.Random(seed)
    rows = []
    for number in range(count):
        label = sorted(WORDS)[number % len(WORDS)]
        words = chance.choices([*WORDS[label].split(), "the", "a", "of"], k=chance.randint(4, 30))
        rows.append((" ".join([*words, str(number + 1000 * seed)]), label))
    return rows


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three categories, 60 documents to train on and 30 to test."""
    return write_dataset(tmp_path_factory.mktemp("data"), documents(60, 1), documents(30, 2))


@pytest.fixture(scope="session")
def options(dataset: Path) -> dict[str, str]:
    """The small data, and a model that is made in a second."""
    return {
        "--dataset": str(dataset),
        "--base-model": "scratch:gpt2-tiny",
        "--method": "full",
        "--min-steps": "4",
        "--max-length": "64",
        "--learning-rate": "1e-3",
    }


@pytest.fixture
def training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Run]:
    """Runs ``python -m training COMMAND``, within this process to save the seconds of its imports."""

    def run(command: str, *arguments: str, **variables: str) -> Run:
        given = {"--save-to": str(tmp_path / "out")}
        line = [part for key, value in given.items() if key not in arguments for part in (key, value)]
        monkeypatch.setattr(os, "environ", os.environ.copy())
        # trl counts its users over the network, but for those in CI.
        environ = environment(CI="1", **variables)
        for key in set(os.environ) - set(environ):
            del os.environ[key]
        os.environ.update(environ)
        capfd.readouterr()
        code = main([command, *line, *arguments])
        stdout, stderr = capfd.readouterr()
        return Run(code, stdout, stderr, Path(dict(pairwise(arguments)).get("--save-to", given["--save-to"])))

    return run


@pytest.fixture
def classify(
    tmp_path: Path, options: dict[str, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Run]:
    """Runs ``python -m training classify``, within this process to save the seconds of its imports."""

    def run(*arguments: str, **variables: str) -> Run:
        given = {**options, "--save-to": str(tmp_path / "out")}
        line = [part for key, value in given.items() if key not in arguments for part in (key, value)]
        environ = environment(**variables)
        monkeypatch.setattr(os, "environ", os.environ.copy())
        for key in set(os.environ) - set(environ):
            del os.environ[key]
        os.environ.update(environ)
        capfd.readouterr()
        code = main(["classify", *line, *arguments])
        stdout, stderr = capfd.readouterr()
        chosen = dict(pairwise(arguments))
        return Run(code, stdout, stderr, Path(chosen.get("--save-to", given["--save-to"])))

    return run


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    from training.scratch import gpt2_tiny

    return gpt2_tiny([text for text, _ in documents(60, 1)])[1]


@pytest.fixture(scope="session")
def gpt2_folder(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any) -> Path:
    """A tiny GPT-2 language model without a pad token, as the real one comes."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("gpt2")
    end = tokenizer.eos_token_id
    config = GPT2Config(
        vocab_size=len(tokenizer), n_positions=128, n_embd=64, n_layer=2, n_head=2, bos_token_id=end, eos_token_id=end
    )
    GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings.pop("pad_token")
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


@pytest.fixture(scope="session")
def bert_folder(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any) -> Path:
    """A tiny BERT encoder."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("bert")
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=128,
        max_position_embeddings=128,
        pad_token_id=tokenizer.pad_token_id,
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Tiny models by the name of their family, made when first asked for."""
    # Late: that module needs this one.
    from tests.training.chat.conftest import make_model

    made: dict[str, Path] = {}

    def of(family: str) -> Path:
        if family not in made:
            made[family] = make_model(family, tmp_path_factory.mktemp(family))
        return made[family]

    return of
