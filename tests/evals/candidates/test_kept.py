"""Answers are durable one by one: kill -9 loses none that was finished."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fixtures.contracts.errors import UserError
from fixtures.conversations.answers import write_answers
from fixtures.conversations.rows import rows_of
from fixtures.judge_server import Answer, Delay, JudgeServer
from tests.evals.candidates.conftest import texts
from tests.training.chat.conftest import turns, write_rows

ROOT = Path(__file__).parents[3]
ASK = """
import sys
from pathlib import Path
from evals.candidates import CandidateSettings, open_candidate
from fixtures.conversations.rows import rows_of
spec, rows, out = sys.argv[1:]
settings = CandidateSettings(save_to=out, max_new_tokens=12, candidate_concurrency=1)
open_candidate(spec, settings).answer(rows_of(Path(rows)).rows, progress=print)
"""


def test_a_kill_loses_nothing_that_was_answered(asked, tmp_path):
    file = write_rows(tmp_path / "rows.jsonl", [turns(f"Question {number}?", "Yes.") for number in range(12)])
    with JudgeServer([*[Answer("before")] * 5, Delay(60), *[Answer("after")] * 12]) as server:
        spec = f"endpoint:tuned@{server.url}/v1"
        process = subprocess.Popen(
            [sys.executable, "-c", ASK, spec, str(file), str(asked.folder)],
            cwd=ROOT,
            env=os.environ | {"NO_PROXY": "*"},
            stdout=subprocess.DEVNULL,
        )
        while len(server.calls) < 6:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        answers = asked.answer(spec, rows_of(file).rows, candidate_concurrency=1)
    assert sorted(texts(answers)) == [*["after"] * 7, *["before"] * 5]
    assert asked.steps[0] == 5
    assert len(server.calls) == 6 + 7


def test_a_torn_line_is_cut_off_and_any_other_damage_is_told(asked, rows):
    with JudgeServer(Answer("fine")) as server:
        spec = f"endpoint:tuned@{server.url}/v1"
        asked.answer(spec, rows)
        kept = asked.candidate.kept_in
        kept.write_bytes(kept.read_bytes()[:-9])
        assert texts(asked.answer(spec, rows)) == ["fine"] * 10
        assert asked.steps == [9, 1]
        assert all(json.loads(line)["text"] == "fine" for line in kept.read_text().splitlines())

        kept.write_text("{}\n")
        with pytest.raises(UserError, match="are damaged; delete it, and the candidate answers anew"):
            asked.answer(spec, rows)


def test_a_disk_that_takes_nothing_is_told(asked, rows):
    asked.folder.write_text("a file, where a folder is wanted")
    with JudgeServer(Answer("fine")) as server, pytest.raises(UserError, match=r"cannot write .*answers-kept"):
        asked.answer(f"endpoint:tuned@{server.url}/v1", rows)
    assert not server.calls


class TestAnswersFile:
    def test_its_answers_are_those_of_the_rows(self, asked, rows, tmp_path):
        write_answers(tmp_path / "answers.jsonl", rows, {row.id: row.id.upper() for row in rows})
        for spec in (tmp_path, tmp_path / "answers.jsonl"):
            assert texts(asked.answer(spec, rows)) == [row.id.upper() for row in rows]
            assert asked.candidate.kind == "answers"

    def test_some_of_its_rows_may_be_wanted(self, asked, rows, tmp_path):
        write_answers(tmp_path / "answers.jsonl", rows, dict.fromkeys((row.id for row in rows), "fine"))
        answers = asked.open(tmp_path).answer(rows[:2], known=rows, progress=print)
        assert list(answers) == [row.id for row in rows[:2]]

    def test_its_digest_is_its_content(self, asked, rows, tmp_path):
        digests = []
        for text in ("one", "two"):
            write_answers(tmp_path / "answers.jsonl", rows, dict.fromkeys((row.id for row in rows), text))
            digests.append(asked.open(tmp_path).digest)
        assert digests[0] != digests[1]
