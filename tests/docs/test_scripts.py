"""The scripts on the pages about data, methods and evaluation, run as they stand there."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from fixtures.conversations.answers import read_answers, write_answers
from fixtures.conversations.rows import rows_of
from tests.docs.pages import ROOT, Page

PASSAGES = {
    "Returns": "A parcel can be sent back within thirty days of its arrival, and the shop pays for the label.",
    "Gift cards": "Gift cards are valid for three years, and can be used until nothing is left on them.",
}
UNCLEAR = "What does it say?"


def script(name):
    """The block whose first line names it."""
    blocks = [
        block for page in ("data.md", "methods.md", "chat-evaluation.md") for block in Page(ROOT / "docs" / page).blocks
    ]
    [found] = [code for _, code in blocks if code.startswith(f'"""{name}: ')]
    return found


def run(name, *arguments, folder, **environment):
    (folder / name).write_text(script(name))
    done = subprocess.run(
        [sys.executable, name, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class LanguageModel(BaseHTTPRequestHandler):
    """Does what the synthesizer asks for, by the words of its prompts; the passage comes back in the answers."""

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = request["messages"][-1]["content"]
        passage = next((text for text in PASSAGES.values() if text in prompt), "")
        if "Max Goldens Per Context" in prompt:
            answer = json.dumps({"data": [{"input": f"About: {passage[:20]}?"}, {"input": UNCLEAR}]})
        elif "feedback" in prompt and "score" in prompt:
            answer = json.dumps({"feedback": "", "score": 0.2 if UNCLEAR in prompt else 0.9})
        elif "rewritten_input" in prompt:
            answer = json.dumps({"rewritten_input": UNCLEAR})
        elif prompt.rstrip().endswith("JSON:"):
            answer = json.dumps({"input": f"Dear shop, {prompt.count(UNCLEAR)}?"})
        else:
            answer = passage
        message = {"role": "assistant", "content": answer}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        reply = {"id": "1", "object": "chat.completion", "created": 0, "model": request["model"], "choices": [choice]}
        content = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def llm_url():
    server = ThreadingHTTPServer(("127.0.0.1", 0), LanguageModel)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


def test_conversations_from_documents(llm_url, tmp_path):
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents/shop.md").write_text("\n\n".join(f"# {name}\n\n{text}" for name, text in PASSAGES.items()))

    run("synthesize.py", folder=tmp_path, LLM="any", LLM_URL=llm_url)

    rows = [json.loads(line) for line in (tmp_path / "synthetic.jsonl").read_text().splitlines()]
    # Two questions a passage were made; the unclear one of each is left out.
    assert sorted(row["messages"][2]["content"] for row in rows) == sorted(PASSAGES.values())
    assert all(row["messages"][2]["content"] in row["source"][0] for row in rows)
    check = [sys.executable, "-m", "training", "chat", "--train-file", tmp_path / "synthetic.jsonl", "--check-only"]
    checked = subprocess.run(
        [*check, "--base-model", "scratch:llama-tiny", "--method", "full"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_own_answers_of_a_file(tmp_path):
    run("own.py", str(ROOT / "fixtures/chat/eval.jsonl"), folder=tmp_path)

    rows = rows_of(ROOT / "fixtures/chat/eval.jsonl").rows
    assert read_answers(tmp_path / "own.jsonl", rows, rows) == {row.id: row.reference for row in rows}


def test_precision_and_recall_of_answers_that_are_categories(tmp_path):
    turns = [[{"role": "user", "content": f"Text {n}"}, {"role": "assistant", "content": "spam"}] for n in range(4)]
    turns += [[{"role": "user", "content": f"Letter {n}"}, {"role": "assistant", "content": "ham"}] for n in range(4)]
    (tmp_path / "eval.jsonl").write_text("".join(json.dumps({"messages": each}) + "\n" for each in turns))
    rows = rows_of(tmp_path / "eval.jsonl").rows
    said = ["spam", "spam", "spam ", "ham", "ham", "ham", "spam", "I cannot say"]
    write_answers(tmp_path / "answers.jsonl", rows, {row.id: text for row, text in zip(rows, said, strict=True)})

    table = run("categories.py", "eval.jsonl", "answers.jsonl", folder=tmp_path)

    figures = {
        line.split()[0]: line.split()[1:] for line in table.splitlines() if line.split()[:1] in (["ham"], ["spam"])
    }
    assert figures == {"ham": ["0.67", "0.50", "0.57", "4"], "spam": ["0.75", "0.75", "0.75", "4"]}


def test_near_copies(tmp_path):
    questions = [
        "How long does delivery to Norway take?",
        "Who wrote Emma?",
        "How long does a delivery to Norway take?",
    ]
    rows = [{"messages": [{"role": "user", "content": question}]} for question in questions]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))

    said = run("near.py", "train.jsonl", folder=tmp_path)

    assert said == f"lines 1 and 3: {questions[0]!r} / {questions[2]!r}\n"


def test_pairs_from_ratings(tmp_path):
    file = ROOT / "fixtures/chat/eval.jsonl"
    rows = rows_of(file).rows[:3]
    sheet = [
        {"id": row.id, "left": "It is so.", "right": row.reference, "rating": rating, "rater": "A"}
        for row, rating in zip(rows, ("right", "left", "tie"), strict=True)
    ]
    with (tmp_path / "ratings.csv").open("w", encoding="utf-8-sig", newline="") as ratings:
        writer = csv.DictWriter(ratings, list(sheet[0]))
        writer.writeheader()
        writer.writerows(sheet)

    run("pairs.py", str(file), "ratings.csv", folder=tmp_path)

    pairs = [json.loads(line) for line in (tmp_path / "pairs.jsonl").read_text().splitlines()]
    assert [pair["prompt"] for pair in pairs] == [list(row.messages) for row in rows[:2]]
    contents = [(pair["chosen"][0]["content"], pair["rejected"][0]["content"]) for pair in pairs]
    assert contents == [(rows[0].reference, "It is so."), ("It is so.", rows[1].reference)]
