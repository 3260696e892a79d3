from __future__ import annotations

import inspect
import json
import re

import pytest

from tests.training.hosted.conftest import conversation
from training.hosted import tokens
from training.hosted.check import automatic_epochs


def test_the_guides_data_is_good_and_its_cost_is_told_without_key_or_network(alone, shared_data):
    train, evaluation = (shared_data / "chat" / f"support-ja-{name}_data.jsonl" for name in ("training", "validation"))

    run = alone.run(
        "check", "--train-file", train, "--eval-file", evaluation, "--price-per-million", "3", OPENAI_API_KEY=None
    )

    assert run.code == 0, run.stderr
    assert "20 conversations, no errors" in run.stdout
    assert "10 conversations, no errors" in run.stdout
    # Counted with o200k_base, frames included, it is 2,448.
    estimated = int(re.search(r"to learn: about ([\d,]+) tokens", run.stdout)[1].replace(",", ""))
    assert 2448 * 1.09 < estimated < 2448 * 1.17
    assert "5 by the rule of OpenAI's Cookbook for 20 examples" in run.stdout
    assert f"cost: about {estimated * 5 * 3 / 1e6:.2f}" in run.stdout
    assert "closes on 2027-01-06" in run.stderr or "closed on 2027-01-06" in run.stderr


def test_all_faults_of_both_files_are_told_at_once_by_line(alone):
    rows = [conversation(number) for number in range(1, 8)]
    rows[1]["messages"][1]["weight"] = 2
    rows[2]["messages"][1]["weight"] = 0
    rows[3]["messages"][0]["weight"] = 1
    rows[4]["messages"].append({"role": "human", "content": "?"})
    train = alone.write("train.jsonl", rows)
    with train.open("ab") as file:
        file.write(b'{"messages": [\n\xff\n')
    evaluation = alone.write("eval.jsonl", [conversation(1), {"prompt": "a", "completion": "b"}])

    run = alone.run("check", "--train-file", train, "--eval-file", evaluation)

    assert run.code == 2
    assert run.error.splitlines() == [
        f"error: {train}: 6 rows of 9 cannot be used",
        "  error: 9 examples; at least 10 are needed",
        "  error: line 2: a weight is neither 0 nor 1",
        "  error: line 3: all turns of the assistant have weight 0: there is nothing to learn",
        "  error: line 4: only turns of the assistant have a weight",
        '  error: line 5: unknown role "human" (a name of ShareGPT\'s); write user',
        "  error: line 8: not JSON: Expecting value at column 15",
        "  error: line 9: not UTF-8: byte 0xff at position 1",
        f"{evaluation}: 1 row of 2 cannot be used",
        '  error: line 2: the old form of prompt and completion; write {"messages": [{"role": "user", "content": '
        'PROMPT}, {"role": "assistant", "content": COMPLETION}]}',
        f"  warning: line 1: also in {train}: says nothing about unseen conversations",
    ]


def test_weights_of_0_and_1_are_fine_here(alone):
    rows = [conversation(number) for number in range(1, 11)]
    rows[0]["messages"][1]["weight"] = 0
    rows[0]["messages"] += [{"role": "user", "content": "And?"}, {"role": "assistant", "content": "So.", "weight": 1}]

    run = alone.run("check", "--train-file", alone.write("train.jsonl", rows))

    assert run.code == 0, run.stderr
    assert "warning" not in run.stdout


def test_long_examples_and_foreign_keys_are_warned_of(alone):
    rows = [conversation(number) for number in range(1, 11)]
    rows[3]["prompt"] = "a question"
    rows[5]["messages"][1]["content"] = "word " * 400

    run = alone.run("check", "--train-file", alone.write("train.jsonl", rows), "--max-tokens", "100", "--n-epochs", "2")

    assert run.code == 0, run.stderr
    assert "warning: line 4: prompt: not of OpenAI's format, which may refuse it" in run.stdout
    assert "warning: line 6: longer than 100 tokens: its end is cut off" in run.stdout
    # Nine short ones, and one that is cut: billed is what is learned.
    billed = int(re.search(r"to learn: about ([\d,]+) tokens x 2 epochs", run.stdout)[1])
    lengths = re.search(r"train\s+10\s+(\d+)\s+(\d+)\s+(\d+)\s+([\d,]+)", run.stdout)
    assert int(lengths[3]) > 500
    assert billed == int(lengths[4].replace(",", "")) - int(lengths[3]) + 100


@pytest.mark.parametrize(("name", "errors"), [("azure-qa-train", 0), ("azure-qa-eval", 0), ("drone-tool-calls", 0)])
def test_real_chat_files(alone, shared_data, name, errors):
    run = alone.run("check", "--train-file", shared_data / "chat" / f"{name}.jsonl")

    assert (run.code, run.error) == (errors, "")


def test_the_faulty_real_file_is_refused_by_line(alone, shared_data):
    run = alone.run("check", "--train-file", shared_data / "chat" / "toy-faulty.jsonl")

    assert run.code == 2
    assert "error: line 4: no user turn: there is nothing to answer" in run.error
    assert "error: 5 examples; at least 10 are needed" in run.error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--train-file is missing"),
        (["--train-file", "absent.jsonl"], "cannot read absent.jsonl: No such file or directory"),
        (["--train-file", "x", "--n-epochs", "0"], "--n-epochs is '0': must be greater than or equal to 1"),
        (["--train-file", "x", "--price-per-million", "cheap"], "--price-per-million is 'cheap'"),
    ],
)
def test_mistakes_are_one_line(alone, arguments, message):
    run = alone.run("check", *arguments)

    assert run.code == 2
    assert message in run.error
    assert len(run.error.splitlines()) == 1


@pytest.mark.parametrize(("examples", "epochs"), [(3, 25), (10, 10), (20, 5), (33, 3), (34, 3), (9000, 2), (99_999, 1)])
def test_epochs_by_the_cookbooks_rule(examples, epochs):
    assert automatic_epochs(examples) == epochs


def test_the_table_that_is_looked_for_is_tiktokens():
    public = pytest.importorskip("tiktoken_ext.openai_public")

    source = inspect.getsource(public.o200k_base)

    assert tokens._TABLE in source
    assert tokens._DIGEST in source


def test_a_damaged_table_in_the_cache_is_not_used(tmp_path, monkeypatch):
    pytest.importorskip("tiktoken")
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    from tiktoken.load import hashlib

    (tmp_path / hashlib.sha1(tokens._TABLE.encode()).hexdigest()).write_bytes(b"IQ== 0\n")

    counter = tokens.token_counter()

    assert not counter.exact
    assert counter.count("x" * 400) == 100


def test_settings_may_stand_in_a_file(alone):
    train = alone.conversations(10)
    (alone.folder / "check.json").write_text(json.dumps({"train-file": str(train), "n_epochs": 4}))

    run = alone.run("check", "--config-file", "check.json", "--n-epochs", "2")

    assert run.code == 0, run.stderr
    assert "n_epochs = 4 overrides --n-epochs 2" in run.stdout
    assert "x 4 epochs" in run.stdout
