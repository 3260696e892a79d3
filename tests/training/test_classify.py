"""The whole command on small data: what it leaves behind, and that it is right."""

from __future__ import annotations

import csv
import json
import math
import resource
import shutil
import subprocess

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from fixtures.contracts.files import sha256_file
from fixtures.contracts.inference import encode, load_classifier, predict_logits
from fixtures.contracts.manifest import verify_model_folder
from fixtures.datasets import load_dataset
from tests.training.conftest import command, documents, environment, write_dataset

pytestmark = pytest.mark.slow


def weights(run):
    return sha256_file(run.out / "model" / "model.safetensors")


def test_what_a_training_leaves_behind(classify, dataset):
    run = classify("--epochs", "8", "--prompt-template", "News: {text}")
    assert (run.code, run.stderr) == (0, "")

    manifest, _ = verify_model_folder(run.out / "model")
    assert manifest.labels == ("money", "space", "sport")
    assert manifest.prompt_template == "News: {text}"
    assert manifest.max_length == 64
    assert manifest.dataset["counts"] == {"train": 54, "validation": 6, "test": 30}
    assert manifest.dataset["digests"]["train"] == load_dataset(str(dataset)).digest("train")
    assert manifest.settings["epochs"] == 8
    assert {"torch", "transformers", "python"} <= set(manifest.versions)

    config = json.loads((run.out / "model" / "config.json").read_text())
    assert config["id2label"] == {"0": "money", "1": "space", "2": "sport"}
    assert config["pad_token_id"] == AutoTokenizer.from_pretrained(run.out / "model").pad_token_id

    for part in ("validation", "test"):
        for who in ("model", "baseline"):
            assert math.isfinite(run.metrics[part][who]["loss"])
    # The words tell the label; 8 epochs suffice to learn it.
    assert run.metrics["test"]["model"]["accuracy"] >= 0.9
    rows = list(csv.DictReader((run.out / "curves.csv").open()))
    validation = [float(row["validation_loss"]) for row in rows if row["validation_loss"]]
    assert len(validation) == 8
    points = manifest.metrics["training"]["curves"]
    assert [point["step"] for point in points] == [int(row["step"]) for row in rows]
    assert [point["validation_loss"] for point in points if "validation_loss" in point] == validation
    assert run.metrics["training"]["best_validation_loss"] == pytest.approx(min(validation))
    assert run.metrics["validation"]["model"]["loss"] == pytest.approx(min(validation), abs=1e-3)
    assert (run.out / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert list((run.out / "logs").glob("events.*"))
    assert not (run.out / "checkpoints").exists()
    assert f"model         {run.out}/model" in run.stdout


@pytest.mark.parametrize("base", ["gpt2_folder", "bert_folder"])
@pytest.mark.parametrize("method", ["lora", "qlora", "head"])
def test_each_method_on_encoder_and_decoder(classify, request, base, method):
    arguments = ["--base-model", str(request.getfixturevalue(base)), "--method", method, "--lora-rank", "8"]
    run = classify(*arguments, "--learning-rate", "1e-2", "--min-steps", "8")

    assert (run.code, run.stderr) == (0, "")
    assert "logits differ by" in run.stdout
    manifest, _ = verify_model_folder(run.out / "model")
    assert manifest.settings["method"] == method
    # Random weights have little to learn with; that each method learns is shown in test_traps.
    model = run.metrics["validation"]["model"]
    assert sum(map(sum, model["confusion_matrix"])) == model["documents"]


def test_the_test_split_has_no_influence(classify, tmp_path):
    first = classify("--save-to", str(tmp_path / "a"))
    changed = write_dataset(tmp_path / "changed", documents(60, 1), documents(9, 5))
    second = classify("--save-to", str(tmp_path / "b"), "--dataset", str(changed))
    third = classify("--save-to", str(tmp_path / "c"), "--no-test-metrics", "--precision", "auto")

    assert first.metrics["test"]["model"]["documents"] == 30
    assert second.metrics["test"]["model"]["documents"] == 9
    assert third.metrics["test"] is None
    assert weights(first) == weights(second) == weights(third)


def test_one_text_alone_answers_as_in_a_batch(classify, gpt2_folder, dataset):
    run = classify("--base-model", str(gpt2_folder), "--method", "full")
    model, tokenizer = load_classifier(run.out / "model", torch.device("cpu"))
    texts = [document.text for document in load_dataset(str(dataset)).splits["test"]]
    rows = encode(tokenizer, texts, template="{text}", max_length=64)

    together = predict_logits(model, rows, pad_token_id=tokenizer.pad_token_id)
    alone = np.vstack([predict_logits(model, [row], pad_token_id=tokenizer.pad_token_id) for row in rows])
    assert len({len(row) for row in rows}) > 5
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_predictions_come_in_the_order_of_the_data(classify, dataset):
    run = classify("--epochs", "8")
    model = AutoModelForSequenceClassification.from_pretrained(run.out / "model").eval()
    tokenizer = AutoTokenizer.from_pretrained(run.out / "model")
    test = load_dataset(str(dataset)).splits["test"]
    correct = 0
    for document in test:
        with torch.inference_mode():
            logits = model(**tokenizer(document.text, truncation=True, max_length=64, return_tensors="pt")).logits
        correct += model.config.id2label[int(logits.argmax())] == document.label

    # One by one through the plain classes, against the figure that sorted batches gave.
    assert correct / len(test) == pytest.approx(run.metrics["test"]["model"]["accuracy"], abs=0.04)
    assert correct / len(test) > 0.8


def test_hostile_texts_train_without_a_crash(classify, tmp_path):
    hostile = [
        "",
        "x" * 70_000,
        "nul \x00 byte",
        "lone \ud800 surrogate",
        "\x1b[31mred\x1b[0m ]]>",
        "<|endoftext|>",
        "👩‍👩‍👧",
    ]
    rows = [*documents(30, 1), *((text, "space") for text in hostile)]
    data = write_dataset(tmp_path / "data", rows, rows)
    run = classify("--dataset", str(data))

    assert run.code == 0, run.stderr
    assert "note: 1 documents of the train split are left out: empty text" in run.stdout
    assert run.metrics["test"]["model"]["documents"] == len(rows) - 1


def test_a_loss_of_nan_ends_in_one_line_and_no_model(classify, tmp_path, gpt2_folder):
    broken = tmp_path / "broken"
    shutil.copytree(gpt2_folder, broken)
    from safetensors.torch import load_file, save_file

    tensors = load_file(broken / "model.safetensors")
    tensors["transformer.h.1.mlp.c_fc.bias"][0] = float("nan")
    save_file(tensors, broken / "model.safetensors", metadata={"format": "pt"})
    run = classify("--base-model", str(broken), "--no-probe-first")

    assert run.code == 1
    assert run.stderr == "error: the loss became nan at step 1; try a --learning-rate below 0.001 or --precision fp32\n"
    assert not (run.out / "model" / "manifest.json").exists()


def test_a_full_disk_is_told_in_one_line(options, tmp_path):
    out = tmp_path / "out"
    line = [part for key, value in {**options, "--save-to": str(out)}.items() for part in (key, value)]
    run = subprocess.run(
        command(*line),
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
        # A write beyond this size fails, as it does on a full disk.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)),
    )

    assert run.returncode == 2
    assert len(run.stderr.splitlines()) == 1
    assert run.stderr.startswith(f"error: cannot write checkpoint {out}/checkpoints/checkpoint-")
    assert not (out / "model" / "manifest.json").exists()


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (("--dataset", "nowhere"), 2),
        (("--base-model", "./nowhere"), 2),
        (("--method", "lora", "--lora-target-modules", "nothing"), 2),
        (("--learning-rate", "1e30", "--precision", "fp32"), 1),
    ],
)
def test_a_mistake_costs_an_earlier_model_nothing_and_a_training_withdraws_what_it_said(
    classify, tmp_path, given, code
):
    statements = [tmp_path / "out" / "model" / "manifest.json", tmp_path / "out" / "metrics.json"]
    statements[0].parent.mkdir(parents=True)
    for statement in statements:
        statement.write_text("{}")
    run = classify(*given)

    assert run.code == code, run.stderr
    assert [statement.exists() for statement in statements] == [code == 2] * 2
