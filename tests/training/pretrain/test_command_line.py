"""What a user types, and what they are told."""

from __future__ import annotations

import json

import pytest

from tests.training.conftest import ROOT
from tests.training.pretrain.conftest import DATA

TINY = ("--base-model", "scratch:llama-tiny", "--method", "full")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--train-files is missing: which texts are to be learned?"),
        (["--train-files", "nowhere.txt"], "cannot read nowhere.txt: No such file or directory"),
        (["--train-files", str(DATA), "--max-length", "4"], "--max-length is '4': must be greater than or equal to 8"),
        (
            ["--train-files", str(DATA / "handbook" / "02-returns.txt")],
            "1 distinct document cannot be parted into one to learn and one to choose on; give --eval-files",
        ),
    ],
)
def test_a_mistake_is_told_in_one_line_and_exits_with_2(training, arguments, message):
    run = training("pretrain", *TINY, *arguments)

    assert run.stderr == f"error: {message}\n"
    assert run.code == 2


def test_an_adapter_is_no_base_model(training, tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    for command, option in (("chat", "--train-file"), ("pretrain", "--train-files")):
        file = DATA if command == "pretrain" else DATA.parent / "chat" / "train.jsonl"
        run = training(command, option, str(file), "--base-model", str(tmp_path))

        said = "is an adapter, not a model: train with --save merged, and start from that"
        assert run.stderr == f"error: --base-model {tmp_path} {said}\n"
        assert run.code == 2


def test_faults_of_all_files_are_told_at_once_although_the_model_is_not_there(training, tmp_path):
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_bytes(b"\xff")
    (tmp_path / "texts" / "b.jsonl").write_text('{"text": "x"}\n{"body": "y"}\n{"text": "x"}\n')
    (tmp_path / "eval.jsonl").write_text("")
    run = training(
        "pretrain", "--train-files", str(tmp_path / "texts"), "--eval-files", str(tmp_path / "eval.jsonl"),
        "--base-model", "./nowhere",
    )  # fmt: skip
    assert run.code == 2
    assert run.stderr.splitlines() == [
        f"error: {tmp_path}/texts/a.txt: 1 document of 1 cannot be used",
        "  error: line 1: not UTF-8: byte 0xff",
        f"{tmp_path}/texts/b.jsonl: 1 document of 3 cannot be used",
        '  error: line 2: no "text"; it has body (see --text-key)',
        "  warning: line 3: the same document as an earlier one; left out",
        f"{tmp_path}/eval.jsonl: 0 documents of 0 cannot be used",
        "  error: the file is empty",
        "--base-model ./nowhere: there is no such folder",
    ]


def test_nothing_is_left(training, tmp_path):
    (tmp_path / "a.txt").write_text("the same")
    (tmp_path / "b.txt").write_text("the same")
    run = training("pretrain", *TINY, "--train-files", str(tmp_path / "a.txt"), "--eval-files", str(tmp_path / "b.txt"))
    assert run.stderr == "error: --eval-files: no document is left\n"
    assert f"warning: line 1: the same document as one in {tmp_path / 'a.txt'}; left out" in run.stdout
    assert run.code == 2


def test_check_only_reports_and_writes_nothing(training, tmp_path):
    path = tmp_path / "a.jsonl"
    rows = [{"body": "A lantern. " * 900}, {"body": "one"}, {"body": "one"}, {"body": "two"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = training("pretrain", *TINY, "--train-files", str(path), "--text-key", "body", "--seed", "1", "--check-only")

    assert run.code == 0, run.stderr
    assert f"{path}: 4 documents\n  warning: line 3: the same document as an earlier one; left out\n" in run.stdout
    assert not run.out.exists()


def test_our_own_texts_are_without_fault(training, monkeypatch):
    monkeypatch.chdir(ROOT)
    run = training("pretrain", "--config-file", "fixtures/pretraining/train.json", "--check-only")

    assert run.code == 0, run.stderr
    assert "fixtures/pretraining/notes.jsonl: 20 documents\n" in run.stdout
    assert "warning" not in run.stdout


def test_a_tokenizer_that_drops_characters_is_warned_of(training, shared_data):
    run = training(
        "pretrain", "--base-model", str(shared_data / "models" / "TinyStories-656K"), "--check-only",
        "--train-files", str(shared_data / "chat" / "support-ja-training_data.jsonl"), "--text-key", "messages",
    )  # fmt: skip
    assert run.code == 2
    assert 'error: lines 1-20 (20): "messages" is not text but ' in run.stderr

    run = training(
        "pretrain", "--base-model", str(shared_data / "models" / "TinyStories-656K"), "--check-only",
        "--train-files", str(japanese(shared_data, run.out.parent)),
    )  # fmt: skip
    assert run.code == 0, run.stderr
    assert "warning: the tokenizer does not know 9" in run.stdout
    assert "the model will never see them" in run.stdout


def japanese(shared_data, folder):
    file = shared_data / "chat" / "support-ja-training_data.jsonl"
    texts = [json.loads(line)["messages"][-1]["content"] for line in file.read_text(encoding="utf-8").splitlines()]
    path = folder / "ja.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path
