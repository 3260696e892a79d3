"""What a user types, and what they are told."""

from __future__ import annotations

import pytest

from tests.training.chat.conftest import write_rows
from tests.training.conftest import ROOT
from tests.training.prefer.conftest import DATA, read_pairs

TINY = ("--base-model", "scratch:llama-tiny", "--method", "full")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--train-file is missing: which preferences are to be learned?"),
        (["--train-file", "nowhere.jsonl"], "cannot read nowhere.jsonl: No such file or directory"),
        (["--train-file", str(DATA / "train.jsonl"), "--beta", "0"], "--beta is '0': must be greater than 0"),
    ],
)
def test_a_mistake_is_told_in_one_line_and_exits_with_2(training, arguments, message):
    run = training("prefer", *TINY, *arguments)

    assert run.stderr == f"error: {message}\n"
    assert run.code == 2


def test_faults_of_both_files_are_told_at_once_although_the_model_is_not_there(training, tmp_path):
    rows = read_pairs("train")[:3]
    train = write_rows(tmp_path / "a.jsonl", [*rows, {"prompt": "x", "chosen": "y", "rejected": "y"}])
    other = write_rows(tmp_path / "b.jsonl", [rows[0], b"{}"])
    run = training("prefer", "--train-file", str(train), "--eval-file", str(other), "--base-model", "./nowhere")

    assert run.code == 2
    assert run.stderr.splitlines() == [
        f"error: {train}: 1 row of 4 cannot be used",
        "  error: line 4: chosen and rejected are the same: nothing is preferred to anything",
        f"{other}: 1 row of 2 cannot be used",
        '  error: line 2: no "chosen" and no "rejected"; it has nothing',
        f"  warning: line 1: its prompt is also in {train}: says nothing about unseen prompts",
        "--base-model ./nowhere: there is no such folder",
    ]


def test_pairs_with_the_same_prompt_stay_on_one_side(training, tmp_path):
    rows = [{"prompt": "a?", "chosen": f"yes {n}", "rejected": "no"} for n in range(5)]
    run = training("prefer", *TINY, "--train-file", str(write_rows(tmp_path / "a.jsonl", rows)))
    assert run.stderr.endswith(
        "1 distinct prompt cannot be parted into one to learn and one to choose on; give an --eval-file\n"
    )
    assert run.code == 2


def test_check_only_reports_and_writes_nothing(training, tmp_path):
    rows = [*read_pairs("train")[:3], read_pairs("train")[0]]
    train = write_rows(tmp_path / "a.jsonl", rows)
    run = training("prefer", *TINY, "--train-file", str(train), "--eval-file", str(DATA / "eval.jsonl"), "--check-only")
    assert run.code == 0, run.stderr
    assert f"{train}: 4 pairs\n  warning: line 4: the same as an earlier line\n" in run.stdout
    assert not run.out.exists()


def test_our_own_pairs_are_without_fault(training, monkeypatch):
    monkeypatch.chdir(ROOT)
    run = training("prefer", "--config-file", "fixtures/preferences/train.json", *TINY, "--check-only")

    assert run.code == 0, run.stderr
    assert "fixtures/preferences/train.jsonl: 48 pairs\nfixtures/preferences/eval.jsonl: 12 pairs\n" in run.stdout
    assert "warning" not in run.stdout
