"""A training from end to end: what it leaves behind, and that it answers as the trained model did."""

from __future__ import annotations

import csv
import importlib.util
import math
import shutil

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from fixtures.contracts.manifest import verify_model_folder
from training.causal import saving
from training.errors import TrainingFailed
from training.export import save_model


def quickly(chat, monkeypatch, *arguments):
    """Without the processes in which the folders are loaded again."""
    monkeypatch.setattr(saving, "check_logits", lambda *_, **__: 0.0)
    return chat(*arguments)


def test_what_a_training_leaves_behind(chat, few):
    run = chat("--epochs", "3", "--learning-rate", "1e-2")

    assert run.code == 0, run.stderr
    assert "loaded again in a new process, logits differ by" in run.stdout
    manifest, _ = verify_model_folder(run.out / "model")
    assert manifest.task == "chat"
    assert manifest.labels == ()
    assert manifest.max_length == 1024
    assert manifest.dataset["counts"] == {"train": 8, "validation": 4}
    assert manifest.settings["train_file"] == few["--train-file"]
    assert manifest.metrics == run.metrics

    tokenizer = AutoTokenizer.from_pretrained(run.out / "model")
    assert tokenizer.chat_template == manifest.prompt_template
    model = AutoModelForCausalLM.from_pretrained(run.out / "model")
    assert model.config.pad_token_id == tokenizer.pad_token_id is not None

    rows = list(csv.DictReader((run.out / "curves.csv").open()))
    assert [int(row["step"]) for row in rows] == [0, 1, 2, 3, 4, 5, 6]
    figures = run.metrics["validation"]
    assert float(rows[0]["validation_loss"]) == figures["before"]["loss"]
    assert figures["model"]["perplexity"] == pytest.approx(math.exp(figures["model"]["loss"]))
    assert figures["model"]["loss"] < figures["before"]["loss"]
    assert {"train_accuracy", "validation_accuracy"} <= set(rows[0])
    assert (run.out / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert list((run.out / "logs").rglob("events.out.tfevents.*"))
    assert not (run.out / "checkpoints").exists()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["lora", "qlora"])
def test_adapter_and_merged_model_are_loaded_again_and_agree(chat, models, method):
    if method == "qlora" and importlib.util.find_spec("bitsandbytes") is None:
        pytest.skip("bitsandbytes is not installed")
    base = models("llama")
    run = chat("--base-model", str(base), "--method", method, "--save", "both", "--learning-rate", "1e-2")

    assert run.code == 0, run.stderr
    assert run.stdout.count("loaded again in a new process, logits differ by") == 2
    for folder in ("model", "adapter"):
        assert verify_model_folder(run.out / folder)[0].task == "chat"
    if method == "lora":
        tokenizer = AutoTokenizer.from_pretrained(run.out / "adapter")
        ids = tokenizer("Do you sell maps?", return_tensors="pt")
        plain = AutoModelForCausalLM.from_pretrained(base)
        with torch.inference_mode():
            before = plain(**ids).logits
            merged = AutoModelForCausalLM.from_pretrained(run.out / "model")(**ids).logits
            beside = PeftModel.from_pretrained(plain, run.out / "adapter").eval()(**ids).logits
        torch.testing.assert_close(merged, beside, atol=1e-4, rtol=0)
        assert (merged - before).abs().max() > 0.01


@pytest.mark.parametrize(
    ("save", "kept"), [("merged", {"model"}), ("adapter", {"adapter"}), ("both", {"model", "adapter"})]
)
def test_what_is_saved(chat, models, monkeypatch, save, kept):
    run = quickly(chat, monkeypatch, "--base-model", str(models("llama")), "--method", "lora", "--save", save)

    assert run.code == 0, run.stderr
    assert {path.parent.name for path in run.out.glob("*/manifest.json")} == kept
    assert {path.name for path in run.out.glob("*/*.safetensors")} <= {"model.safetensors", "adapter_model.safetensors"}


def test_an_earlier_runs_manifests_are_withdrawn(chat, models, monkeypatch):
    arguments = ("--base-model", str(models("llama")), "--method", "lora")
    quickly(chat, monkeypatch, *arguments, "--save", "both")
    run = quickly(chat, monkeypatch, *arguments, "--save", "adapter")

    assert run.code == 0, run.stderr
    assert not (run.out / "model" / "manifest.json").exists()


def test_a_mistake_costs_an_earlier_model_nothing(chat, monkeypatch, tmp_path):
    first = quickly(chat, monkeypatch)
    assert first.code == 0, first.stderr
    before = (first.manifest, first.metrics)

    for mistake in (("--eval-file", "nowhere.jsonl"), ("--max-length", "8"), ("--base-model", "./nowhere")):
        assert chat(*mistake).code == 2
    assert (first.manifest, first.metrics) == before


def spoil_weights(folder):
    weights = load_file(folder / "model.safetensors")
    weights["lm_head.weight"] = weights["lm_head.weight"].flip(0)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def spoil_template(folder):
    (folder / "chat_template.jinja").write_text("{{ messages[0]['content'] }}")


def lose_tokenizer(folder):
    (folder / "tokenizer.json").unlink()


@pytest.mark.slow
@pytest.mark.parametrize("spoil", [spoil_weights, spoil_template, lose_tokenizer])
def test_a_folder_that_answers_otherwise_is_noticed(chat, models, monkeypatch, spoil):
    def save_and_spoil(model, tokenizer, folder):
        save_model(model, tokenizer, folder)
        spoil(folder)

    monkeypatch.setattr(saving, "save_model", save_and_spoil)
    run = chat("--base-model", str(models("llama")), "--learning-rate", "1e-2")

    assert run.code == 1
    assert run.stderr.startswith(f"error: the saved model in {run.out / 'model'} ")
    assert not (run.out / "model" / "manifest.json").exists()


def test_the_base_model_is_not_overwritten(chat, models, tmp_path):
    shutil.copytree(models("llama"), tmp_path / "out" / "model")
    run = chat("--base-model", str(tmp_path / "out" / "model"))

    assert run.code == 2
    assert "is where the new model goes; choose another --save-to" in run.stderr


def test_a_loss_that_is_no_number_ends_it(chat, monkeypatch):
    run = quickly(
        chat, monkeypatch, "--learning-rate", "1e30", "--epochs", "5", "--warmup", "0", "--max-grad-norm", "1e30"
    )

    assert run.code == 1
    assert "became nan at step" in run.stderr
    assert "try a --learning-rate below 1e+30" in run.stderr


def test_a_training_that_made_it_worse_says_so(chat, monkeypatch):
    run = quickly(chat, monkeypatch, "--learning-rate", "1", "--epochs", "4", "--warmup", "0")

    assert run.code == 0, run.stderr
    assert "warning: the validation loss is not below that of the start" in run.stdout


def test_a_given_template_goes_with_the_model(chat, monkeypatch, tmp_path):
    file = tmp_path / "own.jinja"
    file.write_text(
        "{% for m in messages %}{% if m['role'] == 'assistant' %}A: {% generation %}{{ m['content'] }}{{ eos_token }}"
        "{% endgeneration %}{% else %}Q: {{ m['content'] }}{% endif %}\n{% endfor %}"
        "{% if add_generation_prompt %}A: {% endif %}"
    )
    run = quickly(chat, monkeypatch, "--chat-template", str(file))

    assert run.code == 0, run.stderr
    assert (run.out / "model" / "chat_template.jinja").read_text() == file.read_text()
    assert run.manifest["prompt_template"] == file.read_text()


def test_the_settings_of_the_workshop_train(chat, models, monkeypatch):
    run = quickly(chat, monkeypatch, "--base-model", str(models("phi3")), "--method", "lora", "--preset", "workshop")

    assert run.code == 0, run.stderr
    assert "note: this model has no layer q_proj; qkv_proj gets LoRA in its place" in run.stdout
    assert "note: this model has no layer up_proj; gate_up_proj gets LoRA in its place" in run.stdout
    assert "2 optimisation steps of 4 rows" in run.stdout
    assert run.manifest["settings"]["warmup"] == 0.2


def test_weights_that_are_no_numbers_are_not_saved(train):
    task, trained = train()
    with torch.no_grad():
        next(trained.model.parameters()).fill_(math.nan)

    with pytest.raises(TrainingFailed, match="holds NaN or infinite values"):
        saving.save(trained, task, [saving.Probe([1, 2], {})])
