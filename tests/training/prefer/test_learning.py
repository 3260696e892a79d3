"""What is learned, that its loss is DPO's, what a training leaves behind, and that a kill changes nothing."""

from __future__ import annotations

import csv
import importlib.util
import json
import subprocess
import sys

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from torch.nn.functional import logsigmoid
from transformers import AutoModelForCausalLM, AutoTokenizer

from fixtures.contracts.files import sha256_file
from fixtures.contracts.manifest import verify_model_folder
from tests.training.conftest import environment, in_two_processes, killed_after
from tests.training.prefer.conftest import DATA
from training.prefer.trainer import PreferenceTrainer


@pytest.fixture(scope="module")
def chatty(tmp_path_factory):
    """A model that `training chat` has made of our conversations."""
    folder = tmp_path_factory.mktemp("chat")
    subprocess.run(
        [sys.executable, "-m", "training", "chat", "--train-file", str(DATA.parent / "chat" / "train.jsonl"),
         "--eval-file", str(DATA.parent / "chat" / "eval.jsonl"), "--base-model", "scratch:llama-tiny", "--method",
         "full", "--learning-rate", "2e-3", "--epochs", "6", "--precision", "fp32", "--save-to", str(folder)],
        env=environment(CI="1"), check=True, capture_output=True,
    )  # fmt: skip
    return folder / "model"


def points(trained, column):
    return [point[column] for point in trained.history["curves"] if column in point]


@torch.inference_mode()
def log_probability(model, prompt, answer):
    """Of an answer, token by token, without any of our code or trl's."""
    logits = model(input_ids=torch.tensor([[*prompt, *answer]])).logits[0].log_softmax(-1)
    return sum(float(logits[len(prompt) - 1 + n, token]) for n, token in enumerate(answer))


@pytest.mark.parametrize("method", ["full", "lora"])
def test_the_loss_is_that_of_the_paper(learn, chatty, monkeypatch, method):
    seen = {}
    step = PreferenceTrainer.training_step

    def training_step(self, model, inputs, *args):
        # Of the last step: the model is no longer its reference.
        seen["inputs"] = {key: value.clone() for key, value in inputs.items()}
        seen["model"] = {name: weight.detach().clone() for name, weight in self.model.state_dict().items()}
        seen["loss"] = float(step(self, model, inputs, *args))
        seen["self"] = self
        return torch.tensor(seen["loss"])

    monkeypatch.setattr(PreferenceTrainer, "training_step", training_step)
    beta = 0.3
    learn(
        base_model=str(chatty), method=method, beta=beta, learning_rate=1e-4 if method == "full" else 1e-2, epochs=1,
        batch_size=12,
    )  # fmt: skip
    trained, reference = seen["self"].model, AutoModelForCausalLM.from_pretrained(chatty)
    trained.load_state_dict(seen["model"])
    trained.eval()
    ids, attended, said = (seen["inputs"][key] for key in ("input_ids", "attention_mask", "completion_mask"))
    delta = []
    for model in (trained, reference):
        answers = []
        for row, mask, answer in zip(ids, attended, said, strict=True):
            tokens, begins = row[mask.bool()].tolist(), int(answer.nonzero()[0])
            answers.append(log_probability(model, tokens[:begins], tokens[begins:]))
        half = len(answers) // 2
        delta.append(torch.tensor(answers[:half]) - torch.tensor(answers[half:]))

    expected = -logsigmoid(beta * (delta[0] - delta[1])).mean()
    assert seen["loss"] == pytest.approx(float(expected), abs=1e-4)
    assert abs(seen["loss"] - 0.6931) > 0.01


def test_preferences_are_learned_on_prompts_not_seen(learn, chatty, tmp_path):
    for seed in (1, 2, 3):
        _, trained = learn(
            base_model=str(chatty), method="lora", learning_rate=3e-4, epochs=2, seed=seed, save_to=tmp_path / str(seed)
        )
        assert points(trained, "validation_loss")[0] == pytest.approx(0.693147, abs=1e-6)
        assert points(trained, "validation_accuracy")[0] == 0.5
        assert points(trained, "train_loss")[0] == pytest.approx(0.693147, abs=1e-4)
        assert trained.history["best_validation_loss"] < 0.6
        assert points(trained, "validation_accuracy")[-1] > 0.9
        assert points(trained, "validation_margin")[-1] > 0.2


def test_the_same_training_in_other_batches(learn, chatty, tmp_path):
    common = {"base_model": str(chatty), "method": "lora", "learning_rate": 1e-3, "epochs": 1}
    _, one = learn(**common, batch_size=4, save_to=tmp_path / "one")
    _, other = learn(**common, batch_size=1, gradient_accumulation=4, save_to=tmp_path / "other")

    assert points(one, "train_loss") == pytest.approx(points(other, "train_loss"), abs=1e-4)
    assert points(one, "validation_loss") == pytest.approx(points(other, "validation_loss"), abs=1e-4)


def test_each_pair_of_a_step_weighs_the_same(learn, chatty, tmp_path):
    # 48 pairs in one step: by 40 and 8, as all at once.
    common = {"base_model": str(chatty), "method": "lora", "learning_rate": 1e-3, "epochs": 2}
    _, whole = learn(**common, batch_size=48, save_to=tmp_path / "whole")
    _, parted = learn(**common, batch_size=40, gradient_accumulation=2, save_to=tmp_path / "parted")

    assert whole.history["steps"] == parted.history["steps"] == 2
    assert points(whole, "train_loss") == pytest.approx(points(parted, "train_loss"), abs=1e-5)
    assert points(whole, "validation_loss") == pytest.approx(points(parted, "validation_loss"), abs=1e-5)


@pytest.mark.slow
def test_two_processes_train_as_one(learn, chatty, tmp_path):
    # Of 48 pairs in batches of five, the processes get five and three in the last step.
    task, one = learn(
        base_model=str(chatty), method="lora", learning_rate=1e-3, batch_size=5, gradient_accumulation=2,
        save_to=tmp_path / "one",
    )  # fmt: skip
    out = tmp_path / "two"
    two = in_two_processes(
        "prefer", "--train-file", str(DATA / "train.jsonl"), "--eval-file", str(DATA / "eval.jsonl"), "--base-model",
        str(chatty), "--learning-rate", "1e-3", "--batch-size", "5", "--precision", "fp32", "--min-steps", "0",
        "--save-to", str(out),
    )  # fmt: skip
    assert two.returncode == 0, two.stderr

    curves = json.loads((out / "metrics.json").read_text())["training"]["curves"]
    assert curves[-1]["validation_loss"] < 0.6
    for ours, theirs in zip(curves, one.history["curves"], strict=True):
        assert ours.keys() == theirs.keys()
        for key in {"step", "train_loss", "validation_loss", "validation_accuracy", "validation_margin"} & ours.keys():
            assert ours[key] == pytest.approx(theirs[key], abs=1e-4), key
    theirs = one.merged(task).state_dict()
    weights = load_file(out / "model" / "model.safetensors")
    assert max((weights[name] - theirs[name]).abs().max().item() for name in weights) < 1e-4


@pytest.mark.skipif(importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed")
def test_lora_beside_4_bit_weights(learn, chatty):
    task, trained = learn(base_model=str(chatty), method="qlora", learning_rate=1e-3, epochs=1)
    assert trained.history["best_validation_loss"] < 0.69

    ids = torch.tensor([task.train.rows[0].prompt])
    with torch.inference_mode():
        beside = trained.model(input_ids=ids).logits
        torch.testing.assert_close(trained.merged(task)(input_ids=ids).logits, beside, atol=1e-4, rtol=0)


@pytest.mark.slow
def test_a_chat_model_is_tuned_and_adapter_and_merged_model_agree(training, chatty):
    run = training(
        "prefer", "--train-file", str(DATA / "train.jsonl"), "--eval-file", str(DATA / "eval.jsonl"), "--base-model",
        str(chatty), "--save", "both", "--learning-rate", "1e-3", "--precision", "fp32", "--min-steps", "0",
    )  # fmt: skip
    assert run.code == 0, run.stderr
    assert run.stdout.count("loaded again in a new process, logits differ by") == 2
    manifest, _ = verify_model_folder(run.out / "model")
    assert manifest.task == "chat"
    assert manifest.prompt_template == AutoTokenizer.from_pretrained(chatty).chat_template
    assert manifest.dataset["counts"] == {"train": 48, "validation": 12}
    assert sorted(path.name for path in (run.out / "adapter").iterdir() if path.is_dir()) == []

    tokenizer = AutoTokenizer.from_pretrained(run.out / "model")
    ids = tokenizer("Do you sell maps?", return_tensors="pt")
    plain = AutoModelForCausalLM.from_pretrained(chatty)
    with torch.inference_mode():
        merged = AutoModelForCausalLM.from_pretrained(run.out / "model")(**ids).logits
        before = plain(**ids).logits
        beside = PeftModel.from_pretrained(plain, run.out / "adapter").eval()(**ids).logits
    torch.testing.assert_close(merged, beside, atol=1e-4, rtol=0)
    assert (merged - before).abs().max() > 0.01

    figures = run.metrics["validation"]
    assert figures["before"]["accuracy"] == 0.5
    assert figures["model"]["accuracy"] > 0.9
    assert figures["model"]["margin"] > 0.2
    rows = list(csv.DictReader((run.out / "curves.csv").open()))
    assert float(rows[0]["validation_chosen_logp"]) == figures["before"]["chosen_logp"]
    assert {"train_margin", "validation_margin", "train_chosen_logp", "validation_rejected_logp"} <= set(rows[0])
    # The known failure of DPO, which this rate brings about.
    assert figures["model"]["chosen_logp"] < figures["before"]["chosen_logp"]
    assert "warning: the better answers have become less probable, too (log-probability " in run.stdout


@pytest.mark.slow
def test_a_killed_training_ends_with_the_same_weights(training, chatty, tmp_path):
    line = [
        "prefer", "--train-file", str(DATA / "train.jsonl"), "--eval-file", str(DATA / "eval.jsonl"), "--base-model",
        str(chatty), "--lora-dropout", "0.2", "--learning-rate", "1e-4", "--epochs", "4", "--precision", "fp32",
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
