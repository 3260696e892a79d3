"""``python -m evals try``: what is asked for is shown, safely, and kept; mistakes are told at once."""

import json
import re
import subprocess
import sys

import pytest

from evals.__main__ import main
from fixtures.conversations.answers import write_answers
from fixtures.conversations.files import read_chat_file
from fixtures.conversations.rows import rows_of
from fixtures.judge_server import Answer, Delay, Judge, JudgeServer, Status
from tests.evals.conftest import ROOT
from tests.evals.terminal import run_in_terminal
from tests.training.chat.conftest import make_model, turns, write_rows

CTRL_D = b"\x04"


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    """A tiny Llama with random weights."""
    return make_model("llama3.2", tmp_path_factory.mktemp("try") / "llama")


@pytest.fixture
def tried(capsys, monkeypatch):
    """Runs the command in this process; returns its exit code, output and errors."""
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments):
        code = main(["try", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def endpoint(server, model="tuned"):
    return f"endpoint:{model}@{server.url}/v1"


class TestPrompts:
    def test_answers_with_tokens_seconds_and_the_reason_they_stopped(self, tried):
        with JudgeServer([Answer("Tomorrow."), Answer("Cut off", finish_reason="length")]) as server:
            code, out, _ = tried(
                endpoint(server), "--prompt", "Where is it?", "And then?", "--system", "Be brief.",
                "--candidate-concurrency", 1,
            )  # fmt: skip
        assert code == 0
        first, second = out.split("2 of 2")
        assert "system: Be brief.\nuser: Where is it?\n\n  Tomorrow." in first
        assert re.search(r"^\d+ tokens in, \d+ out, \d\.\d\d s, stop$", first, re.MULTILINE)
        assert re.search(r"  Cut off *\n\d+ tokens in, \d+ out, \d\.\d\d s, length$", second, re.MULTILINE)
        assert [turn["content"] for turn in server.calls[0].body["messages"]] == ["Be brief.", "Where is it?"]

    def test_a_file_of_lines(self, tried, tmp_path):
        (tmp_path / "prompts.txt").write_text("One?\n\n  Two?\n", encoding="utf-8-sig")
        with JudgeServer(Answer("Yes.")) as server:
            _, out, _ = tried(endpoint(server), "--prompts", tmp_path / "prompts.txt")
        assert [call.body["messages"] for call in server.calls] == [
            [{"role": "user", "content": "One?"}], [{"role": "user", "content": "Two?"}],
        ]  # fmt: skip
        assert "reference" not in out

    def test_a_file_of_conversations_shows_the_references(self, tried, tmp_path):
        file = write_rows(tmp_path / "rows.jsonl", [turns("A?", "B.", "C?", "D.", system="Old.")])
        with JudgeServer(Answer("Said.")) as server:
            _, out, _ = tried(endpoint(server), "--prompts", file, "--system", "New.")
        assert "system: New.\nuser: A?\nassistant: B.\nuser: C?\nreference: D.\n\n  Said." in out
        assert [turn["content"] for turn in server.calls[0].body["messages"]] == ["New.", "A?", "B.", "C?"]

    def test_several_side_by_side_with_answers_that_were_given_before(self, tried, tmp_path):
        file = write_rows(tmp_path / "rows.jsonl", [turns("A?", "B.")])
        rows = rows_of(file).rows
        write_answers(tmp_path / "answers.jsonl", rows, {rows[0].id: "Said then."})
        with JudgeServer(Answer("Said by one.")) as one, JudgeServer(Answer("Said by two.")) as two:
            code, out, _ = tried(endpoint(one), endpoint(two), tmp_path / "answers.jsonl", "--prompts", file)
        assert code == 0
        assert re.search("│ Said by one. +│ Said by two. +│ Said then. +│", out)

    def test_samples_are_drawn_with_seeds_of_their_own_and_come_again(self, tried, llama):
        arguments = [
            f"hf:{llama}", "--prompt", "Hello?", "--samples", 3, "--temperature", 1,
            "--max-new-tokens", 8, "--precision", "fp32",
        ]  # fmt: skip
        said = re.findall("^  (.*)$", tried(*arguments)[1], re.MULTILINE)
        assert len(set(said)) == 3
        again = re.findall("^  (.*)$", tried(*arguments, "--candidate-seed", 1)[1], re.MULTILINE)
        assert again[:2] == said[1:]

    def test_a_prompt_without_an_answer(self, tried):
        with JudgeServer([Answer("Fine."), Status(500), Answer("Fine.")]) as server:
            code, out, _ = tried(
                endpoint(server), "--prompt", "A?", "B?", "C?",
                "--candidate-retries", 0, "--candidate-concurrency", 1,
            )  # fmt: skip
        assert code == 1
        assert out.count("Fine.") == 2
        assert f"no answer: {server.url}/v1 answered 500" in out.replace("\n  ", " ")

    def test_what_others_say_cannot_act_on_the_terminal(self, tried):
        evil = "a\x1b[2Jb\x07 [red]c[/red]"
        with JudgeServer(Answer(evil), judge=Judge(served_model="x\x1b[1m")) as server:
            _, out, _ = tried(endpoint(server), "--prompt", evil)
        assert "\x1b" not in out
        assert "\x07" not in out
        assert out.count("a\\x1b[2Jb\\x07 [red]c[/red]") == 2
        assert 'answers as model "x\\x1b[1m" where "tuned" was asked' in out


def test_what_was_seen_is_kept_as_conversations(tried, tmp_path):
    file = write_rows(tmp_path / "rows.jsonl", [turns("A?", "B.")])
    save = tmp_path / "kept" / "seen.jsonl"
    with JudgeServer([Answer("One."), Status(500), Answer("Three.")]) as server:
        for _ in range(3):
            tried(endpoint(server), "--prompts", file, "--save", save, "--candidate-retries", 0)
    assert not read_chat_file(save).errors
    first, third = (json.loads(line) for line in save.read_text().splitlines())
    assert first["messages"] == [{"role": "user", "content": "A?"}, {"role": "assistant", "content": "One."}]
    assert first["candidate"] == endpoint(server)
    assert first["reference"] == "B."
    assert first["finish_reason"] == "stop"
    assert third["messages"][-1]["content"] == "Three."


class TestMistakes:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["out/nothing", "--prompt", "A?"], 'candidate "out/nothing": no such file or folder'),
            (["openai:x", "openai:x", "--prompt", "A?"], "a candidate is named twice"),
            (["openai:x", "--prompt", "A?", "--samples", "2"], "--samples 2 needs a --temperature above 0"),
            (["openai:x", "--prompt", "A?", "--samples", "0"], "--samples is 0: must be 1 or more"),
            (["openai:x", "--prompt", "A?", "--prompts", "f"], "--prompt and --prompts exclude each other"),
            (["openai:x", "--prompts", "no/file"], "cannot read --prompts no/file: No such file or directory"),
            (["openai:x", "--prompt", "A?", "--temperature", "3"], "--temperature is '3': must be less than or equal"),
            (["openai:x", "--prompt", "A?", "--max-new-tokens", "0"], "--max-new-tokens is '0': must be greater"),
            (["fixtures/chat/eval.jsonl", "--prompt", "A?"], "is a file of answers: it needs the --prompts"),
            (["openai:x"], "no prompt: give --prompt TEXT or --prompts FILE"),
        ],
    )
    def test_one_line_and_exit_code_2(self, tried, monkeypatch, arguments, said):
        monkeypatch.setenv("OPENAI_API_KEY", "sk-nobody-is-asked")
        code, out, err = tried(*arguments)
        assert (code, out) == (2, "")
        assert err.startswith("error: ")
        assert said in err

    def test_prompts_that_cannot_be_read(self, tried, tmp_path):
        for content, said in ((b"", "is empty"), (b"\xff", "is not UTF-8"), (b"{}", "1 row of 1 cannot be used")):
            (tmp_path / "prompts").write_bytes(content)
            code, _, err = tried("hf:nothing", "--prompts", tmp_path / "prompts")
            assert (code, said in err) == (2, True), err

    def test_a_place_where_nothing_can_be_kept_is_told_before_anybody_is_asked(self, tried, tmp_path):
        (tmp_path / "file").touch()
        with JudgeServer() as server:
            code, _, err = tried(endpoint(server), "--prompt", "A?", "--save", tmp_path / "file" / "seen.jsonl")
        assert (code, server.calls) == (2, [])
        assert f"cannot write --save {tmp_path}/file/seen.jsonl" in err

    def test_a_mistake_imports_nothing_heavy(self):
        script = (
            "import sys; from evals.__main__ import main; main(['try', 'out/nothing', '--prompt', 'A?']); "
            "print(sorted({'torch', 'transformers', 'deepeval', 'aiohttp'} & set(sys.modules)))"
        )
        run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
        assert run.stdout == "[]\n"


class TestConversation:
    """In a terminal, with what a user would type."""

    def talk(self, *arguments, typed, columns=100):
        lines = [piece if piece == CTRL_D else piece.encode() + b"\r" for piece in typed]
        command = ["-m", "evals", "try", *map(str, arguments)]
        return run_in_terminal(command, columns, {"NO_PROXY": "*"}, typed=lines)

    def test_it_remembers_until_it_is_reset(self, tmp_path):
        save = tmp_path / "seen.jsonl"
        said = [Answer("One."), Status(500), Status(404), Answer("Two."), Answer("Three."), Answer("Four.")]
        with JudgeServer(said) as server:
            shown = self.talk(
                endpoint(server), "--system", "Brief.", "--save", save, "--candidate-retries", 0,
                typed=["A?", "lost", "gone", "B?", "/reset", "C?", "/help", "/system Long.", "D?", CTRL_D],
            )  # fmt: skip
        assert shown.exit_code == 0
        asked = [[turn["content"] for turn in call.body["messages"]] for call in server.calls]
        assert asked == [
            ["Brief.", "A?"],
            ["Brief.", "A?", "One.", "lost"],
            ["Brief.", "A?", "One.", "gone"],
            # What was not answered was not said.
            ["Brief.", "A?", "One.", "B?"],
            ["Brief.", "C?"],
            ["Long.", "D?"],
        ]
        assert shown.final.count("no answer: ") == 2
        assert shown.final.count("/reset begins anew") == 2
        assert re.search(r"Two\.\s+\d+ tokens in, \d+ out, \d\.\d\d s, stop", shown.final)
        kept = [json.loads(line)["messages"][-1]["content"] for line in save.read_text().splitlines()]
        assert kept == ["One.", "Two.", "Three.", "Four."]

    def test_several_models_have_a_conversation_each(self):
        with JudgeServer(Answer("By one.")) as one, JudgeServer(Answer("By two.")) as two:
            shown = self.talk(endpoint(one), endpoint(two), typed=["A?", "B?", CTRL_D])
        assert [turn["content"] for turn in one.calls[1].body["messages"]] == ["A?", "By one.", "B?"]
        assert [turn["content"] for turn in two.calls[1].body["messages"]] == ["A?", "By two.", "B?"]
        assert shown.final.index(endpoint(one)) < shown.final.index("By one.") < shown.final.index(endpoint(two))

    def test_a_model_here_says_it_piece_by_piece(self, llama, tried):
        options = [f"hf:{llama}", "--max-new-tokens", 20, "--precision", "fp32"]
        shown = self.talk(*options, typed=["Hello?", CTRL_D], columns=300)
        whole = re.search("^  (.*)$", tried(*options, "--prompt", "Hello?")[1], re.MULTILINE)[1].strip()
        assert shown.exit_code == 0
        assert shown.final.count(whole[:40]) == 1
        assert "20 out" in shown.final

    def test_ctrl_c_ends_it(self):
        # Not at the prompt, where readline may sleep through a signal that comes while it begins to wait, nor at the
        # first question, where an import may.
        with JudgeServer([Answer("One."), Delay(60)]) as server:
            command = ["-m", "evals", "try", endpoint(server)]
            typed = [b"A?\r", b"B?\r"]
            shown = run_in_terminal(command, 100, {"NO_PROXY": "*"}, typed=typed, interrupt_at=r"B\?\r\n")
        assert shown.exit_code == 130
        assert shown.final.rstrip().endswith("interrupted")
        assert "Traceback" not in shown.raw


def test_the_environment_of_an_evaluation_is_no_mistake(tried, monkeypatch):
    monkeypatch.setenv("EVALS_JUDGE", "rubric")
    monkeypatch.setenv("EVALS_MAX_NEW_TOKENS", "33")
    with JudgeServer(Answer("Fine.")) as server:
        assert tried(endpoint(server), "--prompt", "A?")[0] == 0
    assert server.calls[0].body["max_tokens"] == 33
