"""What a user types, and what they are told when it is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.training.conftest import command, documents, environment, write_dataset
from training import base_models

HEAVY = ("torch", "transformers", "sklearn", "deepeval", "peft", "datasets", "matplotlib")


@pytest.mark.parametrize("arguments", [["--help"], ["classify", "--help"]])
def test_help_imports_nothing_heavy(arguments):
    code = (
        "import runpy, sys\n"
        f"sys.argv = ['training', *{arguments!r}]\n"
        "try:\n    runpy.run_module('training', run_name='__main__')\n"
        "except SystemExit as end:\n    assert end.code == 0\n"
        f"print('HEAVY', sorted(set(sys.modules) & set({HEAVY!r})))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True)
    assert run.stdout.splitlines()[-1] == "HEAVY []"


def test_help_starts_at_once():
    def seconds() -> float:
        before = os.times()
        subprocess.run([sys.executable, "-m", "training", "classify", "--help"], env=environment(), check=True,
                       capture_output=True)  # fmt: skip
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    # CPU seconds, and the best of three: other processes use the machine as well.
    assert min(seconds() for _ in range(3)) < 1.5


def test_help_shows_the_defaults_of_the_reference():
    run = subprocess.run(command("--help"), capture_output=True, text=True, env=environment(COLUMNS="200"), check=True)
    for default in ("./out", "openai-community/gpt2", "2e-05", "20newsgroups", "lora"):
        assert f"(default: {default})" in run.stdout.replace("(default: out)", "(default: ./out)")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "error: --epochs is '0': must be greater than or equal to 1"),
        (
            ["--epochs", "many"],
            "error: --epochs is 'many': must be a valid integer, unable to parse string as an integer",
        ),
        (["--learning-rate", "-1"], "error: --learning-rate is '-1': must be greater than 0"),
        (["--method", "magic"], "error: --method is 'magic': must be 'lora', 'qlora', 'full' or 'head'"),
        (["--prompt-template", "News:"], "error: --prompt-template 'News:' does not contain \"{text}\""),
        (
            ["--method", "head"],
            "error: --method head --base-model scratch:gpt2-tiny: a model made from scratch has no trained weights "
            "worth freezing; use --method full",
        ),
        (["--keep-adapter"], "error: --keep-adapter: --method full makes no adapter"),
        (
            ["--batch-tokens", "32"],
            "error: --batch-tokens 32 cannot hold one document of --max-length 64",
        ),
        (
            ["--precision", "fp16"],
            "error: --precision fp16 on a CPU is ten times slower than fp32 and unstable; use bf16 or fp32",
        ),
        (["--device", "cuda:7"], "error: --device cuda:7 is not available on this machine; use auto or cpu"),
        (["--base-model", "./nowhere"], "error: --base-model ./nowhere: there is no such folder"),
        (
            ["--base-model", "embedded:maxilm"],
            'error: unknown base model "embedded:maxilm"; made or embedded here are embedded:minilm '
            "and scratch:gpt2-tiny",
        ),
        (["--max-length", "4000"], "error: --max-length 4000: scratch:gpt2-tiny takes 512 tokens at most"),
        (
            ["--dataset", "nowhere"],
            'error: unknown data set "nowhere": neither "embedded", "20newsgroups" nor a file or folder with this name',
        ),
        (
            ["--remove", "headers"],
            "error: --remove headers: only 20newsgroups has headers, footers and quotes to remove",
        ),
    ],
)
def test_a_mistake_is_told_in_one_line_and_exits_with_2(classify, arguments, message):
    run = classify(*arguments)

    assert run.stderr.splitlines()[0] == message
    assert "Traceback" not in run.stderr
    assert run.code == 2


def test_an_unknown_model_is_named_with_a_way_out(classify):
    # Without network, the hub cannot be asked; with it, this model does not exist.
    run = classify("--base-model", "no-such-owner/no-such-model")

    assert run.code == 2
    assert run.stderr.startswith(
        'error: unknown base model "no-such-owner/no-such-model": no folder of this name, '
        "and not available from the Hugging Face hub\n"
        "  without network: --base-model embedded:minilm or scratch:gpt2-tiny\n"
    )


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"epoch": 3}, 'error: {file}: unknown key "epoch"; did you mean "epochs"?'),
        ({"epochs": [3]}, 'error: {file}: "epochs" is [3]: must be a valid integer'),
        ({"epochs": True}, 'error: {file}: "epochs" is true, which is not what this key takes'),
    ],
)
def test_a_wrong_config_file_names_the_key(classify, tmp_path, config, message):
    file = tmp_path / "train.json"
    file.write_text(json.dumps(config))
    run = classify("--config-file", str(file))

    assert run.stderr.splitlines()[0] == message.format(file=file)
    assert run.code == 2


def test_an_unknown_environment_variable_is_an_error(classify):
    run = classify(TRAINING_EPOCH="2")

    assert run.stderr.splitlines()[0] == (
        'error: environment variable TRAINING_EPOCH: unknown key "epoch"; did you mean "epochs"?'
    )
    assert run.code == 2


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (
            [("one text", "a"), ("another text", "a")],
            'error: data set {data}: all documents of the train split have the label "a"; two or more are needed',
        ),
        (
            [("one text", "a"), ("another text", "b")],
            "error: data set {data}: no category has two documents, one to learn from and one to choose on",
        ),
        ([(" ", "a"), ("\n", "b")], "error: data set {data}: the train split holds no document with text"),
    ],
)
def test_data_from_which_nothing_can_be_learned(classify, tmp_path, train, message):
    data = write_dataset(tmp_path / "data", train, documents(6, 3))
    run = classify("--dataset", str(data))

    assert run.stderr.splitlines()[0] == message.format(data=data)
    assert run.code == 2


def test_missing_columns_are_named(classify, tmp_path):
    (tmp_path / "train.csv").write_text("body,label\nhello,a\n")
    (tmp_path / "test.csv").write_text("body,label\nhello,a\n")
    run = classify("--dataset", str(tmp_path))

    assert run.stderr.splitlines()[0] == f"error: {tmp_path}/train.csv: row 1: no column 'text'; it has body, label"
    assert run.code == 2


def test_a_label_that_only_the_test_split_has(classify, tmp_path):
    data = write_dataset(tmp_path / "data", documents(12, 1), [("what is this", "cooking")])
    run = classify("--dataset", str(data))

    assert run.stderr.splitlines()[0] == (
        f'error: data set {data}: the test split has the label "cooking", which the train split lacks'
    )
    assert run.code == 2


def test_a_folder_that_cannot_be_written(classify, tmp_path):
    (tmp_path / "file").write_text("in the way")
    run = classify("--save-to", str(tmp_path / "file"))

    assert run.stderr.splitlines()[0].startswith(f"error: cannot write to --save-to {tmp_path / 'file'}: ")
    assert run.code == 2


def test_the_base_model_is_not_overwritten(classify, tmp_path, gpt2_folder):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "model").symlink_to(gpt2_folder)
    run = classify("--base-model", str(gpt2_folder))

    assert run.code == 2
    assert "is where the new model goes; choose another --save-to" in run.stderr
    assert (gpt2_folder / "model.safetensors").exists()


def test_the_embedded_model_must_be_the_published_one(classify, tmp_path, monkeypatch):
    fake = tmp_path / "a_damaged_package"
    (fake / "model").mkdir(parents=True)
    (fake / "__init__.py").touch()
    weights = fake / "model" / "model.safetensors"
    weights.write_bytes(b"something else")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(base_models, "MINILM_PACKAGE", fake.name)
    run = classify("--base-model", "embedded:minilm")

    assert run.stderr.splitlines()[0] == f"error: {weights} is not the published all-MiniLM-L6-v2: its sha256 differs"
    assert run.code == 2


def test_a_missing_package_is_named_with_its_command(classify, monkeypatch):
    monkeypatch.setattr(base_models, "MINILM_PACKAGE", "a_package_that_is_not_installed")
    run = classify("--base-model", "embedded:minilm")

    assert run.stderr == 'error: --base-model embedded:minilm needs a package: pip install "newsjudge[embedded]"\n'
    assert run.code == 2
