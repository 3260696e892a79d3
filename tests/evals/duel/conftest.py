"""Duels as a user holds them: files of answers, and a judge's server that is real software with a known mind."""

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from evals.__main__ import main
from evals.judges import transport
from fixtures.conversations.answers import write_answers
from fixtures.conversations.rows import rows_of
from fixtures.judge_server import Judge, JudgeServer, longer

ROOT = Path(__file__).parents[3]
LONG, SHORT, ALSO_SHORT = "a long answer indeed", "short answer", "other answer"
"""To the judge `longer` the first is better than the others, and those are equally good."""


@dataclass(frozen=True)
class Held:
    """A finished command; ``duel`` is what it wrote."""

    code: int
    output: str
    errors: str
    folder: Path

    @property
    def duel(self):
        return json.loads((self.folder / "duel.json").read_text(encoding="utf-8"))

    @property
    def outcomes(self):
        return [row["outcome"] for row in self.duel["rows"]]


class Arena:
    """Holds duels of two files of answers in ``folder``."""

    def __init__(self, folder, capsys):
        self.folder = folder
        self.capsys = capsys
        self.data = folder / "eval.jsonl"
        self.out = folder / "out"

    def answers(self, pairs, *, categories=None, references=None, questions=None):
        """Write a question for each pair of answers, A's and B's, and both files of answers."""
        lines = []
        for number in range(len(pairs)):
            reference = references[number] if references else f"reference {number}"
            question = questions[number] if questions else f"question {number}"
            turns = [{"role": "user", "content": question}, {"role": "assistant", "content": reference}]
            row = {"messages": turns}
            if categories:
                row["category"] = categories[number]
            lines.append(json.dumps(row) + "\n")
        self.data.write_text("".join(lines), encoding="utf-8")
        self.rows = rows_of(self.data).rows
        for place, name in enumerate(("a", "b")):
            answers = {row.id: pair[place] for row, pair in zip(self.rows, pairs, strict=True)}
            write_answers(self.folder / f"{name}.jsonl", self.rows, answers)
        return self.rows

    def arguments(self, *options, a=None, b=None, judge="rubric"):
        a, b = a or self.folder / "a.jsonl", b or self.folder / "b.jsonl"
        given = ["--num-samples", "all", "--save-to", self.out, "--judge", judge, *options]
        return [str(argument) for argument in ["duel", a, b, "--data", self.data, *given]]

    def hold(self, *options, **given):
        """Run the command to the end, in this process."""
        return self.run(*self.arguments(*options, **given))

    def run(self, *arguments):
        self.capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = self.capsys.readouterr()
        return Held(code, captured.out, captured.err, self.out)

    def start(self, *options, **given):
        """The same as a process of its own, which can be killed."""
        environment = os.environ | {"NO_PROXY": "*"}
        return subprocess.Popen(
            [sys.executable, "-m", "evals", *self.arguments(*options, **given)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@pytest.fixture
def arena(tmp_path, capsys):
    return Arena(tmp_path, capsys)


@pytest.fixture
def served(monkeypatch):
    """Starts judge servers; gives the judge's name for each."""
    # Faults are repeated after milliseconds, not seconds; how long is no claim of these tests.
    monkeypatch.setattr(transport, "_BACK_OFF", transport.wait_random(0, 0.01))
    monkeypatch.setenv("NO_PROXY", "*")
    with ExitStack() as servers:

        def start(script=(), **judge):
            server = servers.enter_context(JudgeServer(script, Judge(**{"score": longer} | judge)))
            return server, f"endpoint:judge@{server.url}/v1"

        yield start


def planted(b_wins, a_wins, ties):
    """Pairs of answers of which the judge `longer` gives so many to B, to A, and to neither."""
    return [(SHORT, LONG)] * b_wins + [(LONG, SHORT)] * a_wins + [(SHORT, ALSO_SHORT)] * ties
