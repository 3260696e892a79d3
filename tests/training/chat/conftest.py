"""Small conversations, tiny models of each family, and the command line as a user runs it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import ROOT, Run, environment
from training.__main__ import main

DATA = ROOT / "fixtures" / "chat"

# What each family's template needs of its tokenizer; the templates themselves come with trl.
FAMILIES: dict[str, tuple[str | None, tuple[str, ...]]] = {
    "phi3": ("phi3_5", ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>")),
    "llama": ("llama3", ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")),
    "llama3.2": ("llama3_2", ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")),
    "qwen2": ("qwen2_5", ("<|im_start|>", "<|im_end|>")),
    "qwen3": ("qwen3", ("<|im_start|>", "<|im_end|>", "<think>", "</think>")),
    "gemma": ("gemma", ("<start_of_turn>", "<end_of_turn>")),
    "gemma3": ("gemma3", ("<start_of_turn>", "<end_of_turn>")),
    "gpt2": (None, ()),
}


def turns(*texts: str, system: str | None = None) -> dict[str, Any]:
    """A conversation in which user and assistant take turns, the user first."""
    messages = [{"role": "system", "content": system}] if system else []
    roles = ("user", "assistant")
    return {"messages": messages + [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]}


def write_rows(path: Path, rows: Iterable[Any]) -> Path:
    """Objects as JSON, anything else as it is, one a line."""
    lines = [row if isinstance(row, bytes) else json.dumps(row, ensure_ascii=False).encode() for row in rows]
    path.write_bytes(b"\n".join(lines))
    return path


def read_rows(name: str) -> list[dict[str, Any]]:
    """Conversations of our own data set: ``train`` or ``eval``."""
    return [json.loads(line) for line in (DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def chat_template(name: str) -> str:
    import trl

    return (Path(trl.__file__).parent / "chat_templates" / f"{name}.jinja").read_text(encoding="utf-8")


def learned_tokenizer(family: str = "gpt2") -> Any:
    """A tokenizer learned from our own data set, with the family's special tokens and template."""
    from training.scratch import llama_tiny

    texts = [turn["content"] for row in read_rows("train") for turn in row["messages"]]
    tokenizer = llama_tiny(texts)[1]
    template, special = FAMILIES[family]
    tokenizer.add_special_tokens({"additional_special_tokens": list(special)})
    tokenizer.chat_template = chat_template(template) if template else None
    return tokenizer


def _config(family: str, vocabulary: int, end: int) -> Any:
    import transformers

    small = {
        "vocab_size": vocabulary, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 256,
        "bos_token_id": end, "eos_token_id": end, "pad_token_id": end, "attention_dropout": 0.0,
    }  # fmt: skip
    kinds = {
        "phi3": transformers.Phi3Config, "llama": transformers.LlamaConfig, "llama3.2": transformers.LlamaConfig,
        "qwen2": transformers.Qwen2Config, "qwen3": transformers.Qwen3Config, "gemma": transformers.GemmaConfig,
        "gemma3": transformers.Gemma3TextConfig,
    }  # fmt: skip
    if family in kinds:
        # Gemma 3 sees a window only in most of its layers: packed rows must not be confused by that.
        extra = {"sliding_window": 16} if family == "gemma3" else {}
        return kinds[family](**small, **extra)
    return transformers.GPT2Config(
        vocab_size=vocabulary, n_positions=256, n_embd=32, n_layer=2, n_head=4, bos_token_id=end, eos_token_id=end,
        resid_pdrop=0, embd_pdrop=0, attn_pdrop=0,
    )  # fmt: skip


def make_model(family: str, folder: Path) -> Path:
    """A tiny model of a family with random weights, and its tokenizer, in ``folder``."""
    import torch
    from transformers import AutoModelForCausalLM

    tokenizer = learned_tokenizer(family)
    torch.manual_seed(0)
    config = _config(family, len(tokenizer), tokenizer.eos_token_id)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def few(tmp_path: Path) -> dict[str, str]:
    """Eight conversations to learn and four to choose on."""
    return {
        "--train-file": str(write_rows(tmp_path / "train.jsonl", read_rows("train")[:8])),
        "--eval-file": str(write_rows(tmp_path / "eval.jsonl", read_rows("eval")[:4])),
    }


@pytest.fixture
def chat(
    tmp_path: Path, few: dict[str, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Run]:
    """Runs ``python -m training chat``, within this process to save the seconds of its imports."""

    def run(*arguments: str, **variables: str) -> Run:
        given = {
            **few, "--base-model": "scratch:llama-tiny", "--method": "full", "--precision": "fp32",
            "--save-to": str(tmp_path / "out"), "--min-steps": "0", "--epochs": "1",
        }  # fmt: skip
        if "--train-file" in arguments:
            del given["--eval-file"]
        line = [part for key, value in given.items() if key not in arguments for part in (key, value)]
        monkeypatch.setattr(os, "environ", os.environ.copy())
        environ = environment(CI="1", **variables)
        for key in set(os.environ) - set(environ):
            del os.environ[key]
        os.environ.update(environ)
        capfd.readouterr()
        code = main(["chat", *line, *arguments])
        stdout, stderr = capfd.readouterr()
        return Run(code, stdout, stderr, Path(dict(pairwise(arguments)).get("--save-to", given["--save-to"])))

    return run


@pytest.fixture
def train(tmp_path: Path, few: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Any, Any]]:
    """Trains, in a second, up to where a model would be saved; returns the task and what was trained."""
    from rich.console import Console

    from training.chat.fine_tuning import fine_tune
    from training.chat.settings import ChatSettings
    from training.chat.task import understand

    # trl counts its users over the network, but for those in CI.
    monkeypatch.setenv("CI", "1")

    def run(**settings: Any) -> tuple[Any, Any]:
        given = {
            "train_file": few["--train-file"], "eval_file": few["--eval-file"], "base_model": "scratch:llama-tiny",
            "method": "full", "precision": "fp32", "save_to": tmp_path / "out", "min_steps": 0, "epochs": 1,
        }  # fmt: skip
        task = understand(ChatSettings(**{**given, **settings}), Console(quiet=True))
        return task, fine_tune(task)

    return run
