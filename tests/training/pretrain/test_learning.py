"""What is learned, what a training leaves behind, and that a kill changes neither."""

from __future__ import annotations

import json
import math
import sys
from statistics import pstdev

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from fixtures.contracts.files import sha256_file
from fixtures.contracts.manifest import verify_model_folder
from fixtures.datasets import load_dataset
from tests.training.conftest import in_two_processes, killed_after
from tests.training.pretrain.conftest import DATA


def points(trained, column):
    return [point[column] for point in trained.history["curves"] if column in point]


def test_packed_documents_do_not_see_each_other(learn):
    # All documents in the first step, packed into few rows: its loss is that of each document alone.
    task, trained = learn(
        train_files=(str(DATA / "notes.jsonl"),), eval_files=(str(DATA / "handbook"),), batch_size=50,
        learning_rate=1e-9, max_length=200,
    )  # fmt: skip
    total = 0.0
    with torch.inference_mode():
        for row in task.train.rows:
            loss = trained.model(input_ids=torch.tensor([row.ids]), labels=torch.tensor([row.labels])).loss
            total += float(loss) * row.learned

    assert points(trained, "train_loss")[0] == pytest.approx(total / task.train.learned, abs=2e-5)
    assert trained.history["steps"] == 1


def test_what_a_training_leaves_behind(training):
    run = training(
        "pretrain", "--train-files", f"{DATA / 'handbook'},{DATA / 'notes.jsonl'}", "--method", "full",
        "--base-model", "scratch:llama-tiny", "--gradient-accumulation", "1", "--max-length", "200",
        "--learning-rate", "2e-3",
    )  # fmt: skip
    assert run.code == 0, run.stderr
    assert "loaded again in a new process, logits differ by" in run.stdout
    manifest, _ = verify_model_folder(run.out / "model")
    assert (manifest.task, manifest.prompt_template, manifest.max_length) == ("text-generation", "", 200)
    assert manifest.dataset["counts"] == {"train": 23, "validation": 3}
    assert manifest.metrics == run.metrics

    figures = run.metrics["validation"]["model"]
    assert figures["loss"] < run.metrics["validation"]["before"]["loss"] - 0.1
    assert figures["perplexity"] == pytest.approx(math.exp(figures["loss"]))
    bits = figures["loss"] * figures["tokens"] / math.log(2)
    assert figures["bits_per_byte"] == pytest.approx(bits / manifest.dataset["bytes"]["validation"])
    assert (run.out / "curves.png").exists()
    assert not (run.out / "checkpoints").exists()


@pytest.mark.slow
def test_a_chat_model_goes_on_and_adapter_and_merged_model_agree(training, models, tmp_path):
    chat = training(
        "chat", "--train-file", str(DATA.parent / "chat" / "eval.jsonl"), "--base-model", str(models("llama")),
        "--min-steps", "2", "--epochs", "1", "--save-to", str(tmp_path / "chat"),
    )  # fmt: skip
    assert chat.code == 0, chat.stderr
    run = training(
        "pretrain", "--train-files", str(DATA / "handbook"), "--base-model", str(chat.out / "model"), "--save", "both",
        "--learning-rate", "1e-2", "--precision", "fp32",
    )  # fmt: skip
    assert run.code == 0, run.stderr
    assert run.stdout.count("loaded again in a new process, logits differ by") == 2
    assert verify_model_folder(run.out / "adapter")[0].task == "text-generation"

    tokenizer = AutoTokenizer.from_pretrained(run.out / "model")
    assert tokenizer.chat_template == AutoTokenizer.from_pretrained(chat.out / "model").chat_template
    ids = tokenizer("The lamp above the door", return_tensors="pt")
    plain = AutoModelForCausalLM.from_pretrained(chat.out / "model")
    with torch.inference_mode():
        before = plain(**ids).logits
        merged = AutoModelForCausalLM.from_pretrained(run.out / "model")(**ids).logits
        beside = PeftModel.from_pretrained(plain, run.out / "adapter").eval()(**ids).logits
    torch.testing.assert_close(merged, beside, atol=1e-4, rtol=0)
    assert (merged - before).abs().max() > 0.01


@pytest.mark.slow
def test_a_killed_training_ends_with_the_same_weights(training, models, tmp_path):
    line = [
        "pretrain", "--train-files", str(DATA), "--base-model", str(models("llama")), "--lora-dropout", "0.2",
        "--learning-rate", "1e-2", "--epochs", "8", "--max-length", "200", "--gradient-accumulation", "1",
        "--precision", "fp32",
    ]  # fmt: skip
    whole = training(*line, "--save-to", str(tmp_path / "whole"))
    assert whole.code == 0, whole.stderr
    out = tmp_path / "killed"
    killed_after(2, out, [sys.executable, "-m", "training", *line, "--save-to", str(out)])
    resumed = training(*line, "--save-to", str(out))

    assert resumed.code == 0, resumed.stderr
    assert "continuing from checkpoint-" in resumed.stdout
    assert resumed.metrics["validation"] == whole.metrics["validation"]
    weights = "model/model.safetensors"
    assert sha256_file(out / weights) == sha256_file(whole.out / weights)


@pytest.mark.slow
def test_two_processes_train_as_one(learn, models, tmp_path):
    base = str(models("llama"))
    task, one = learn(
        base_model=base, method="lora", learning_rate=1e-2, epochs=3, max_length=200, gradient_accumulation=4,
        save_to=tmp_path / "one",
    )  # fmt: skip
    out = tmp_path / "two"
    two = in_two_processes(
        "pretrain", "--train-files", str(DATA), "--base-model", base, "--learning-rate", "1e-2", "--epochs", "3",
        "--max-length", "200", "--gradient-accumulation", "2", "--precision", "fp32", "--min-steps", "0", "--save-to",
        str(out),
    )  # fmt: skip
    assert two.returncode == 0, two.stderr

    curves = json.loads((out / "metrics.json").read_text())["training"]["curves"]
    assert curves[-1]["validation_loss"] < curves[0]["validation_loss"] - 0.05
    for ours, theirs in zip(curves, one.history["curves"], strict=True):
        assert ours.keys() == theirs.keys()
        for key in {"step", "train_loss", "validation_loss", "validation_accuracy"} & ours.keys():
            assert ours[key] == pytest.approx(theirs[key], abs=1e-4), key
    theirs = one.merged(task).state_dict()
    weights = load_file(out / "model" / "model.safetensors")
    assert max((weights[name] - theirs[name]).abs().max().item() for name in weights) < 1e-3


@pytest.fixture
def space(shared_data, tmp_path, monkeypatch):
    """Real texts on one subject: 100 to learn and 30 to choose on."""
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(shared_data / "sklearn"))
    dataset = load_dataset("20newsgroups", remove=("headers", "footers", "quotes"))
    files = []
    for split, count in (("train", 100), ("test", 30)):
        texts = [document.text for document in dataset.splits[split] if document.label == "sci.space"][:count]
        files.append(tmp_path / f"{split}.jsonl")
        files[-1].write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return files


@pytest.mark.slow
def test_a_real_checkpoint_learns_real_text_beyond_noise(learn, space, shared_data, tmp_path):
    gains = []
    for seed in (1, 2, 3):
        _, trained = learn(
            train_files=(str(space[0]),), eval_files=(str(space[1]),), seed=seed, learning_rate=1e-3,
            base_model=str(shared_data / "models" / "stories260K-hf"), save_to=tmp_path / str(seed),
            gradient_accumulation=4,
        )  # fmt: skip
        gains.append(trained.history["validation_loss_before"] - trained.history["best_validation_loss"])

    # Nats per token.
    assert min(gains) > 1
    assert pstdev(gains) < 0.1
