"""Predictions of a model: right, in order, made once, and refused from a folder that is not intact."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from evals.predictions import open_model, predict
from evals.settings import Settings
from fixtures.contracts.errors import UserError
from fixtures.contracts.inference import encode, load_classifier, predict_logits, token_budget_batches
from fixtures.contracts.manifest import Manifest, write_manifest
from fixtures.datasets import _documents
from tests.evals.conftest import ROOT

LABELS = ("a", "b", "c")
WORDS = ["[PAD]", "[UNK]", *(f"w{number}" for number in range(50))]


@pytest.fixture(scope="module")
def made_model(tmp_path_factory):
    """A real, tiny BERT classifier with random weights, as training would leave it."""
    folder = tmp_path_factory.mktemp("made") / "model"
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        initializer_range=0.8,
        id2label=dict(enumerate(LABELS)),
        label2id={label: index for index, label in enumerate(LABELS)},
        pad_token_id=0,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(folder)
    _write_manifest(folder)
    return folder


def _write_manifest(folder):
    manifest = Manifest(
        base_model="made",
        labels=LABELS,
        prompt_template="w1 {text}",
        max_length=48,
        dataset={},
        settings={},
        seed=0,
        versions={},
        metrics={},
    )
    write_manifest(folder, manifest)


@pytest.fixture
def model_folder(made_model, tmp_path):
    return shutil.copytree(made_model, tmp_path / "model")


def texts(count):
    generator = np.random.default_rng(0)
    return [" ".join(generator.choice(WORDS[2:], generator.integers(8, 60))) for _ in range(count)]


def data_of(path, count=40):
    rows = [{"text": text, "label": LABELS[number % 3]} for number, text in enumerate(texts(count))]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return ["--dataset", str(path), "--num-samples", "all", "--precision", "fp32"]


class TestOrder:
    def test_one_text_alone_is_the_same_as_in_a_batch(self, made_model):
        model, tokenizer = load_classifier(made_model, torch.device("cpu"))
        rows = encode(tokenizer, texts(30), template="w1 {text}", max_length=48)
        together = predict_logits(model, rows, pad_token_id=0, budget=200)
        alone = np.concatenate([predict_logits(model, [row], pad_token_id=0) for row in rows])
        np.testing.assert_allclose(together, alone, atol=1e-5)

    def test_batches_cover_all_within_the_budget(self):
        lengths = [5, 1, 9, 30, 2, 2, 7]
        batches = token_budget_batches(lengths, 20)
        assert sorted(index for batch in batches for index in batch) == list(range(7))
        assert all(len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= 20 for batch in batches)


class TestCache:
    def test_each_text_is_predicted_once(self, model_folder, tmp_path):
        settings = Settings(model_path=model_folder, save_to=tmp_path, precision="fp32")
        documents, _ = _documents([(text, "a") for text in texts(20)])
        first = predict(open_model(settings), documents[:10], settings, progress=lambda n: None)
        told = []
        again = predict(open_model(settings), documents, settings, progress=told.append)
        assert {key: again[key] for key in first} == first
        assert told[0] == 10
        [cache] = (tmp_path / "predictions-cache").iterdir()
        assert len(cache.read_text().splitlines()) == 20

    def test_a_line_torn_by_a_kill_is_predicted_again(self, model_folder, tmp_path):
        settings = Settings(model_path=model_folder, save_to=tmp_path, precision="fp32")
        documents, _ = _documents([(text, "a") for text in texts(10)])
        whole = predict(open_model(settings), documents, settings, progress=lambda n: None)
        [cache] = (tmp_path / "predictions-cache").iterdir()
        cache.write_bytes(cache.read_bytes()[:-20])
        assert predict(open_model(settings), documents, settings, progress=lambda n: None) == whole
        assert len(cache.read_text().splitlines()) == 10

    @pytest.mark.parametrize("damage", [b"\x00\xff\n", b'{"digest": "0"}\n', b"[1]\n"])
    def test_a_damaged_cache_is_one_clear_line(self, evals, model_folder, damage):
        options = [*data_of(evals.folder / "data.jsonl"), "--model-path", str(model_folder), "--fail-on", "never"]
        assert evals.run(*options).exit_code == 0
        [cache] = (evals.out / "predictions-cache").iterdir()
        cache.write_bytes(damage + cache.read_bytes())
        run = evals.run(*options)
        assert run.exit_code == 4
        assert f"ERROR: prediction cache {cache} is damaged; delete it" in run.output


def test_an_evaluation_of_a_model_and_of_its_predictions_agree(evals, model_folder):
    data = data_of(evals.folder / "data.jsonl")
    of_model = evals.run(*data, "--model-path", str(model_folder), "--fail-on", "never")
    assert of_model.exit_code == 0, of_model.output
    kept = evals.folder / "kept.jsonl"
    shutil.copy(of_model.folder / "predictions.jsonl", kept)
    of_file = evals.run(*data, "--predictions", str(kept), "--fail-on", "never")
    assert of_file.report["samples"] == of_model.report["samples"]
    assert len({sample["predicted"] for sample in of_model.report["samples"]}) > 1


def test_kill_during_prediction_loses_no_finished_batch(evals, model_folder):
    data = data_of(evals.folder / "data.jsonl", count=30_000)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "evals",
        "-p",
        "no:cacheprovider",
        *data,
        "--model-path",
        str(model_folder),
    ]
    process = subprocess.Popen([*command, "--save-to", str(evals.out)], cwd=ROOT, env=evals.environment, stdout=-3)
    cache = evals.out / "predictions-cache"
    deadline = time.monotonic() + 120
    while not (cache.exists() and any(file.stat().st_size > 20_000 for file in cache.iterdir())):
        assert process.poll() is None, "finished before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    [file] = cache.iterdir()
    before = file.read_bytes()
    finished = before[: before.rfind(b"\n") + 1]
    assert 0 < finished.count(b"\n") < 30_000

    settings = Settings(model_path=model_folder, save_to=evals.out, precision="fp32")
    documents, _ = _documents([(json.loads(line)["text"], "a") for line in (evals.folder / "data.jsonl").open()])
    predict(open_model(settings), documents, settings, progress=lambda n: None)

    assert file.read_bytes().startswith(finished)


class TestRefused:
    @pytest.mark.parametrize(
        ("damage", "message"),
        [
            (lambda folder: (folder / "manifest.json").unlink(), "has no manifest.json"),
            (lambda folder: (folder / "config.json").unlink(), "lacks config.json"),
            (lambda folder: os.truncate(folder / "model.safetensors", 100), "is not the file that was trained"),
            (lambda folder: shutil.rmtree(folder), "does not exist"),
        ],
    )
    def test_a_damaged_folder(self, evals, model_folder, damage, message):
        damage(model_folder)
        run = evals.run(*data_of(evals.folder / "data.jsonl"), "--model-path", str(model_folder))
        assert run.exit_code == 4
        assert message in run.output
        assert "Traceback" not in run.output

    def test_other_labels(self, evals, model_folder):
        run = evals.run("--dataset", "embedded", "--model-path", str(model_folder))
        assert run.exit_code == 4
        assert "does not know the categories economy.markets, economy.work" in run.output
        assert "it knows: a, b, c" in run.output

    def test_weights_that_are_no_numbers(self, evals, model_folder):
        model = BertForSequenceClassification.from_pretrained(model_folder)
        with torch.no_grad():
            model.classifier.weight[0, 0] = float("nan")
        model.save_pretrained(model_folder)
        _write_manifest(model_folder)
        run = evals.run(*data_of(evals.folder / "data.jsonl"), "--model-path", str(model_folder))
        assert run.exit_code == 4
        assert "weight classifier.weight holds NaN or infinite values" in run.output

    def test_a_foreign_folder_unless_allowed(self, evals, model_folder):
        (model_folder / "manifest.json").unlink()
        options = [*data_of(evals.folder / "data.jsonl"), "--model-path", str(model_folder), "--fail-on", "never"]
        run = evals.run(*options, "--allow-unmanifested")
        assert run.exit_code == 0, run.output
        assert run.report["model"]["base_model"] == str(model_folder)


def test_hostile_texts_are_predicted(evals, model_folder):
    hostile = ["\x00", "\ud83d", "\x1b[31m", "]]>", "w1 " * 30_000, "<|endoftext|>", "[PAD]"]
    (evals.folder / "data.jsonl").write_text(
        "".join(json.dumps({"text": text, "label": LABELS[n % 3]}) + "\n" for n, text in enumerate(hostile))
    )
    options = ["--dataset", str(evals.folder / "data.jsonl"), "--num-samples", "all"]
    run = evals.run(*options, "--model-path", str(model_folder), "--fail-on", "never")
    assert run.exit_code == 0, run.output
    assert run.report["tally"]["unscored"] == 0
    assert len(run.report["samples"]) == len(hostile)


def test_a_chat_model_is_no_classifier(model_folder):
    path = model_folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"task": "chat"}))

    with pytest.raises(UserError, match="its manifest says task chat; only text-classification is evaluated here"):
        open_model(Settings(model_path=model_folder))
