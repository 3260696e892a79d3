"""What a user types, and what they are told."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.training.chat.conftest import DATA, read_rows, turns, write_rows
from tests.training.conftest import ROOT, environment
from training.__main__ import main
from training.causal import saving
from training.chat.settings import ChatSettings

HEAVY = ("torch", "transformers", "trl", "peft", "datasets", "jinja2", "numpy")


@pytest.mark.parametrize("arguments", [["chat", "--help"], ["chat"], ["chat", "--train-file", "x", "--epochs", "0"]])
def test_nothing_heavy_is_imported_before_the_settings_are_valid(arguments):
    code = (
        "import runpy, sys\n"
        f"sys.argv = ['training', *{arguments!r}]\n"
        "try:\n    runpy.run_module('training', run_name='__main__')\n"
        "except SystemExit as end:\n    pass\n"
        f"print('HEAVY', sorted(set(sys.modules) & set({HEAVY!r})))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True)
    assert run.stdout.splitlines()[-1] == "HEAVY []"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "error: --epochs is '0': must be greater than or equal to 1"),
        (["--loss-on", "user"], "error: --loss-on is 'user': must be 'assistant' or 'all'"),
        (["--preset", "mine"], "error: --preset is 'mine': must be 'ours' or 'workshop'"),
        (["--save", "adapter"], "error: --save adapter: --method full makes no adapter"),
        (
            ["--method", "lora"],
            "error: --method lora --base-model scratch:llama-tiny: a model made from scratch has no trained weights "
            "worth freezing; use --method full",
        ),
        (
            ["--lora-target-modules", "all-linear,q_proj"],
            "error: --lora-target-modules: all-linear is all there is; name it alone",
        ),
        (["--max-length", "4000"], "error: --max-length 4000: scratch:llama-tiny takes 1024 tokens at most"),
        (
            ["--base-model", "scratch:gpt2-tiny"],
            'error: unknown language model "scratch:gpt2-tiny"; made here is scratch:llama-tiny',
        ),
        (["--base-model", "./nowhere"], "error: --base-model ./nowhere: there is no such folder"),
        (["--train-file", "nowhere.jsonl"], "error: cannot read nowhere.jsonl: No such file or directory"),
        (
            ["--chat-template", "nowhere.jinja"],
            "error: cannot read --chat-template nowhere.jinja: No such file or directory",
        ),
        (
            ["--precision", "fp16"],
            "error: --precision fp16 on a CPU is ten times slower than fp32 and unstable; use bf16 or fp32",
        ),
    ],
)
def test_a_mistake_is_told_in_one_line_and_exits_with_2(chat, arguments, message):
    run = chat(*arguments)

    assert run.stderr.splitlines()[0] == message
    assert "Traceback" not in run.stderr
    assert run.code == 2


def test_all_files_that_cannot_be_read_are_named(chat, tmp_path):
    run = chat("--train-file", str(tmp_path), "--eval-file", "nowhere.jsonl")

    assert run.code == 2
    assert run.stderr.splitlines() == [
        f"error: cannot read {tmp_path}: Is a directory",
        "cannot read nowhere.jsonl: No such file or directory",
    ]


def test_without_a_train_file_it_says_so():
    run = subprocess.run(
        [sys.executable, "-m", "training", "chat"], capture_output=True, text=True, env=environment(), check=False
    )
    assert run.stderr == "error: --train-file is missing: which conversations are to be learned?\n"
    assert run.returncode == 2


def test_faults_of_both_files_are_told_at_once(chat, tmp_path):
    train = write_rows(tmp_path / "a.jsonl", [turns("a", "b"), turns("a"), b"{", turns("c")])
    other = write_rows(tmp_path / "b.jsonl", [{"prompt": "x", "completion": "y"}, turns("a", "b")])
    run = chat("--train-file", str(train), "--eval-file", str(other))

    assert run.code == 2
    assert run.stderr.splitlines() == [
        f"error: {train}: 3 rows of 4 cannot be used",
        "  error: lines 2, 4 (2): no assistant turn: there is nothing to learn",
        "  error: line 3: not JSON: Expecting property name enclosed in double quotes at column 2",
        f"{other}: 1 row of 2 cannot be used",
        '  error: line 1: the old form of prompt and completion; write {"messages": [{"role": "user", "content": '
        'PROMPT}, {"role": "assistant", "content": COMPLETION}]}',
        f"  warning: line 2: also in {train}: says nothing about unseen conversations",
    ]


def test_weights_are_checked_and_a_turn_of_weight_0_is_not_learned(chat, tmp_path):
    rows = [turns("a", "b", "c", "d") for _ in range(6)]
    for number, weights in enumerate(([0, 1], [1, 1], [0, 0], [2, 1], [0, True])):
        for turn, weight in zip(rows[number]["messages"][1::2], weights, strict=True):
            turn["weight"] = weight
    rows[5]["messages"][0]["weight"] = 0
    run = chat("--train-file", str(write_rows(tmp_path / "faulty.jsonl", rows)))

    assert run.code == 2
    assert run.stderr.splitlines() == [
        f"error: {tmp_path / 'faulty.jsonl'}: 4 rows of 6 cannot be used",
        "  error: line 3: all turns of the assistant have weight 0: there is nothing to learn",
        "  error: lines 4-5 (2): a weight is neither 0 nor 1",
        "  error: line 6: only turns of the assistant have a weight",
    ]

    learned = {}
    for name, row in {"whole": turns("a", "b", "c", "d"), "part": rows[0]}.items():
        path = str(write_rows(tmp_path / f"{name}.jsonl", [row]))
        run = chat("--train-file", path, "--eval-file", path, "--check-only")
        assert run.code == 0, run.stderr
        learned[name] = next(line.split() for line in run.stdout.splitlines() if line.split()[:1] == ["train"])
    *read, whole = learned["whole"]
    assert learned["part"] == [*read, str(int(whole) // 2)]


def test_what_only_the_model_shows_is_told_together_with_the_faults(chat, shared_data):
    file = shared_data / "chat" / "toy-faulty.jsonl"
    run = chat("--train-file", str(file), "--max-length", "512", "--check-only")

    assert run.code == 2
    assert run.stderr.splitlines() == [
        f"error: {file}: 1 row of 5 cannot be used",
        "  error: line 4: no user turn: there is nothing to answer",
        "  warning: line 5: longer than 512 tokens; its end is cut off",
    ]


def test_faults_are_told_although_the_model_is_not_there(chat, tmp_path):
    train = write_rows(tmp_path / "a.jsonl", [turns("a")])
    run = chat("--train-file", str(train), "--base-model", "./nowhere")

    assert run.code == 2
    assert run.stderr.splitlines() == [
        f"error: {train}: 1 row of 1 cannot be used",
        "  error: line 1: no assistant turn: there is nothing to learn",
        "--base-model ./nowhere: there is no such folder",
    ]


def test_an_empty_file_is_an_error(chat, tmp_path):
    train = write_rows(tmp_path / "a.jsonl", [])
    run = chat("--train-file", str(train))

    assert run.stderr.splitlines() == [f"error: {train}: 0 rows of 0 cannot be used", "  error: the file is empty"]
    assert run.code == 2


def test_check_only_reports_and_writes_nothing(chat, tmp_path):
    rows = [*read_rows("train")[:5], read_rows("train")[2], turns("Hello?", "word " * 3000)]
    train = write_rows(tmp_path / "a.jsonl", rows)
    run = chat("--train-file", str(train), "--eval-file", str(DATA / "eval.jsonl"), "--check-only")

    assert run.code == 0, run.stderr
    lines = run.stdout.splitlines()
    at = lines.index(f"{train}: 7 conversations")
    assert lines[at + 1 : at + 3] == [
        "  warning: line 6: the same as an earlier line",
        "  warning: line 7: longer than 1,024 tokens; its end is cut off",
    ]
    table = {line.split()[0]: line.split()[1:] for line in lines if line.strip().startswith(("train ", "validation "))}
    assert table["train"][0] == "7"
    assert table["train"][5] == "1"
    assert table["validation"][0] == "12"
    assert not run.out.exists()


def test_our_own_data_are_without_fault(capfd, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(os, "environ", environment())

    assert main(["chat", "--config-file", "fixtures/chat/train.json", "--check-only"]) == 0
    said = capfd.readouterr().out
    assert "fixtures/chat/train.jsonl: 48 conversations\n" in said
    assert "fixtures/chat/eval.jsonl: 12 conversations\n" in said
    assert "warning" not in said


def test_all_lines_are_named_by_a_check_and_the_first_by_a_training(chat, tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "check_logits", lambda *_, **__: 0.0)
    long = [turns(f"{n}?", "word " * 3000) if n % 2 else turns(f"{n}?", "yes") for n in range(40)]
    train = write_rows(tmp_path / "a.jsonl", long)
    common = ("--train-file", str(train), "--eval-file", str(DATA / "eval.jsonl"), "--max-length", "64")

    said = chat(*common, "--check-only").stdout
    assert f"lines {', '.join(str(n) for n in range(2, 41, 2))} (20): longer than 64 tokens" in said
    said = chat(*common, "--save-to", str(tmp_path / "out"), "--batch-size", "40").stdout
    assert "lines 2, 4, 6, 8, 10, 12, 14, 16, ... (20): longer than 64 tokens" in said


def test_nothing_left_after_cutting_is_an_error(chat):
    run = chat("--max-length", "8")

    assert run.code == 2
    assert run.stderr == "error: nothing to learn is left of the train part within 8 tokens; raise --max-length\n"
    assert "warning: lines 1-8 (8): nothing to learn is left within 8 tokens; left out" in run.stdout


def test_where_the_model_takes_no_more_it_is_not_advised_to_raise_the_length(chat, tmp_path):
    path = str(write_rows(tmp_path / "long.jsonl", [turns("a " * 1100, "b")]))
    run = chat("--train-file", path, "--eval-file", path)

    assert run.stderr == (
        "error: nothing to learn is left of the train part within 1,024 tokens; scratch:llama-tiny takes no more: "
        "shorten them\n"
    )


def test_a_share_of_one_file_is_put_aside_and_copies_stay_together(chat, tmp_path):
    rows = [row for row in read_rows("train")[:20] for _ in range(2)]
    train = write_rows(tmp_path / "a.jsonl", rows)
    run = chat("--train-file", str(train), "--validation-share", "0.2", "--check-only")

    table = {
        line.split()[0]: line.split()[1] for line in run.stdout.splitlines() if line.strip()[:5] in ("train", "valid")
    }
    assert table == {"train": "32", "validation": "8"}


def test_one_conversation_cannot_be_parted(chat, tmp_path):
    train = write_rows(tmp_path / "a.jsonl", [turns("a", "b")] * 3)
    run = chat("--train-file", str(train))

    assert run.code == 2
    assert run.stderr.startswith(
        f"error: {train}: 1 distinct conversation cannot be parted into one to learn and one to choose on; "
        "give an --eval-file"
    )


def test_a_tokenizer_of_another_model_is_found_out(chat, models, tmp_path):
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for file in models("gpt2").iterdir():
        (mixed / file.name).write_bytes(file.read_bytes())
    config = json.loads((mixed / "config.json").read_text())
    (mixed / "config.json").write_text(json.dumps(config | {"vocab_size": 300}))
    run = chat("--base-model", str(mixed), "--check-only")

    assert run.code == 2
    assert run.stderr.startswith(f"error: the tokenizer of {mixed} gives token ")
    assert run.stderr.endswith("but its model knows 300 tokens only: they do not belong together\n")


def test_a_tokenizer_that_drops_characters_is_warned_of(chat, shared_data):
    base = shared_data / "models" / "TinyStories-656K"
    train = shared_data / "chat" / "support-ja-training_data.jsonl"
    run = chat("--base-model", str(base), "--train-file", str(train), "--check-only")

    assert run.code == 0
    assert "warning: the tokenizer does not know 7" in run.stdout
    assert "the model will never see them" in run.stdout


def test_a_template_that_the_conversations_do_not_fit_is_an_error_by_line(chat, models):
    run = chat("--base-model", str(models("gemma")))

    assert run.code == 2
    assert "error: lines 1-8 (8): the chat template refuses it: System role not supported" in run.stderr
    assert "error: lines 1-4 (4): the chat template refuses it: System role not supported" in run.stderr


def test_the_workshops_settings_give_way_to_what_is_given(monkeypatch):
    monkeypatch.setenv("TRAINING_WARMUP", "0.3")
    preset = ChatSettings(train_file="a.jsonl", preset="workshop", epochs=2)

    assert preset.model_dump() == preset.model_dump() | {
        "method": "lora",
        "lora_rank": 16,
        "lora_alpha": 16,
        "lora_dropout": 0.05,
        "lora_target_modules": ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
        "learning_rate": 2e-5,
        "epochs": 2,
        "schedule": "linear",
        "warmup": 0.3,
        "batch_size": 1,
        "gradient_accumulation": 4,
        "loss_on": "all",
    }
    assert ChatSettings(train_file="a.jsonl", preset="workshop").epochs == 1


def test_the_learning_rate_is_that_of_the_method_unless_given():
    assert ChatSettings(train_file="a.jsonl").recorded()["learning_rate"] == 2e-4
    assert ChatSettings(train_file="a.jsonl", method="full").recorded()["learning_rate"] == 2e-5
    assert ChatSettings(train_file="a.jsonl", method="full", learning_rate=1).recorded()["learning_rate"] == 1
