"""Rows to answer, tiny models, and candidates opened as evaluation, duel and try open them."""

from __future__ import annotations

import pytest

from evals.candidates import CandidateSettings, open_candidate
from evals.judges import transport
from fixtures.conversations.rows import rows_of
from tests.training.chat.conftest import make_model, turns, write_rows

FLY = {"type": "function", "function": {"name": "fly", "arguments": {"height": 3}}}
TOOLS = [{"type": "function", "function": {"name": "fly", "parameters": {"type": "object"}}}]


class Asked:
    """A candidate with settings of its own, and how far it said it was."""

    def __init__(self, folder):
        self.folder = folder
        self.steps = []

    def open(self, spec, **given):
        given = {"save_to": self.folder, "max_new_tokens": 12, "precision": "fp32", "device": "cpu"} | given
        given = {"candidate_retries": 2, "candidate_timeout": 2} | given
        return open_candidate(str(spec), CandidateSettings(**given))

    def answer(self, spec, rows, **given):
        self.candidate = self.open(spec, **given)
        self.steps = []
        return list(self.candidate.answer(rows, progress=self.steps.append).values())


def texts(answers):
    return [answered.text for answered in answers]


@pytest.fixture
def asked(tmp_path, monkeypatch):
    # Faults are repeated after milliseconds, not seconds; how long is no claim of these tests.
    monkeypatch.setattr(transport, "_BACK_OFF", transport.wait_random(0, 0.01))
    monkeypatch.setenv("NO_PROXY", "*")
    return Asked(tmp_path / "out")


@pytest.fixture(scope="session")
def llama(tmp_path_factory):
    """A tiny Llama 3.2 with random weights: it babbles, always the same."""
    return make_model("llama3.2", tmp_path_factory.mktemp("candidates") / "llama")


@pytest.fixture
def rows(tmp_path):
    """Ten questions of very different lengths, one with tools and one that stands there twice."""
    asked = [turns("Where is my order? " * count, "On its way.", system="Be brief.") for count in (1, 9, 3, 7, 5, 2, 6)]
    called = turns("Up!", "Done.") | {"tools": TOOLS}
    return rows_of(write_rows(tmp_path / "rows.jsonl", [*asked, called, turns("Hello?", "Hi."), asked[0]])).rows
