"""A duel in which something goes wrong: nothing is lost, nothing is paid for twice, nothing is passed over."""

import json
import signal
import time

import pytest

from evals.duel.settings import OPTIONS
from evals.verdicts import VerdictStore
from fixtures.judge_server import Answer, Judge, JudgeServer, Status, longer
from tests.evals.duel.conftest import LONG, SHORT, planted


class TestJudge:
    def test_a_malformed_answer_in_one_order_leaves_the_row_unscored(self, arena, served):
        arena.answers([*planted(8, 0, 0), ("odd one", "quite an odd one")])
        # By the answer in the first place: the other order is judged well.
        _, judge = served({"odd one": Answer("B, of course")})
        held = arena.hold("--margin", "0.5", judge=judge)
        assert (held.code, held.duel["gate"]["outcome"]) == (5, "incomplete")
        row = held.duel["rows"][-1]
        assert (row["outcome"], row["how"]) == ("unscored", "unscored")
        assert "malformed answer" in row["error"]
        assert [order["score"] for order in row["orders"]] == [None, 1.0]
        assert held.duel["tally"] == {
            "rows": 9, "b_wins": 8, "a_wins": 0, "ties": 0, "unscored": 1, "identical": 0,
        }  # fmt: skip
        assert held.duel["standing"]["rows"] == held.duel["places"]["rows"] == 8
        assert "Incomplete: 1 of 9 rows have no verdict in both orders" in held.output

    def test_unscored_rows_can_be_allowed(self, arena, served):
        arena.answers([*planted(8, 0, 0), ("odd one", "quite an odd one")])
        _, judge = served({"odd one": Answer("B, of course")})
        held = arena.hold("--margin", "0.5", "--max-unscored", "1", judge=judge)
        assert (held.code, held.duel["gate"]["outcome"]) == (0, "pass")

    def test_a_judge_that_goes_down_stops_the_duel_and_the_next_one_goes_on(self, arena):
        arena.answers(planted(12, 6, 6))
        # The preflight and a few answers, then nothing but errors.
        with JudgeServer([Answer()] * 9 + [Status(500)] * 5000, Judge(score=longer)) as server:
            judge = f"endpoint:judge@{server.url}/v1"
            held = arena.hold("--judge-retries", "0", "--judge-concurrency", "1", judge=judge)
            calls, kept = len(server.calls), server.answered - 1
        assert held.code == 5
        assert "judging stopped early: judge endpoint:" in held.output.replace("\n", " ")
        assert held.duel["tally"]["unscored"] > 18
        # Errors stop after some in a row: nobody waits for 48 of them.
        assert calls < 40
        # A judge is known by its address, so an honest one takes its place.
        with JudgeServer(judge=Judge(score=longer), port=server.port) as again:
            held = arena.hold(judge=judge)
            assert held.code == 0
            assert [held.duel["tally"][name] for name in ("b_wins", "a_wins", "ties", "unscored")] == [12, 6, 6, 0]
            # The preflight, and what was missing.
            assert again.answered == 1 + 48 - kept

    def test_a_judge_that_is_not_there_is_an_error_before_anything_is_written(self, arena):
        arena.answers(planted(2, 1, 1))
        held = arena.hold("--judge-retries", "0", judge="endpoint:judge@http://127.0.0.1:9/v1")
        assert held.code == 2
        assert "--judge endpoint:judge@http://127.0.0.1:9/v1" in held.errors
        assert not (arena.out / "duel.json").exists()

    def test_kill_and_resume_asks_nothing_twice(self, arena):
        arena.answers(planted(30, 10, 10))
        log = arena.folder / "log"
        with JudgeServer(judge=Judge(score=longer, latency=0.05), log=log) as server:
            judge = f"endpoint:judge@{server.url}/v1"
            process = arena.start("--judge-concurrency", "2", judge=judge)
            deadline = time.monotonic() + 120
            while server.answered < 20:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            process.wait()
            with VerdictStore(arena.out / "verdicts.sqlite") as store:
                kept = len(store.records())
            assert kept >= 10
            before = server.answered
            held = arena.hold(judge=judge)
            assert held.code == 0
            assert server.answered - before == 1 + 100 - kept
            assert [held.duel["tally"][name] for name in ("b_wins", "a_wins", "ties")] == [30, 10, 10]

    def test_ctrl_c_says_how_to_go_on(self, arena):
        arena.answers(planted(30, 10, 10))
        with JudgeServer(judge=Judge(score=longer, latency=0.05)) as server:
            judge = f"endpoint:judge@{server.url}/v1"
            process = arena.start("--judge-concurrency", "2", judge=judge)
            deadline = time.monotonic() + 120
            while server.answered < 20:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=60)[0]
            assert process.returncode == 130
            assert "the same command goes on from there" in said
            assert "Traceback" not in said
            assert not (arena.out / "duel.json").exists()
            asked = server.answered
            assert arena.hold(judge=judge).code == 0
            # The preflight, and no more than what was missing; a question on its way when it ended may come again.
            assert server.answered - asked <= 1 + 100 - (asked - 1) + 2

    def test_a_finished_duel_asks_nobody(self, arena, served):
        arena.answers(planted(3, 1, 1))
        server, judge = served()
        arena.hold(judge=judge)
        asked = len(server.calls)
        assert arena.hold("--margin", "0.2", judge=judge).code in (0, 4)
        assert len(server.calls) == asked

    def test_budget(self, arena, served):
        arena.answers(planted(10, 5, 5))
        server, judge = served()
        held = arena.hold("--max-calls", "11", judge=judge)
        assert held.code == 5
        assert server.answered <= 11
        assert "--max-calls 11 is reached" in held.output.replace("\n", " ")

    def test_dry_run_asks_nobody(self, arena, served):
        arena.answers([*planted(3, 1, 1), ("same", "same ")])
        server, judge = served()
        held = arena.hold("--dry-run", judge=judge)
        assert (held.code, len(server.calls)) == (0, 0)
        assert "10 calls, about" in held.output
        assert not (arena.out / "duel.json").exists()


class TestMistakes:
    """Each is one line that names the place and the way out, and exit 2."""

    def refused(self, arena, *options, **given):
        held = arena.hold(*options, **given)
        assert held.code == 2
        assert "Traceback" not in held.errors
        return held.errors

    def test_one_and_the_same_candidate(self, arena):
        arena.answers(planted(1, 1, 1))
        said = self.refused(arena, b=arena.folder / "a.jsonl")
        assert "one and the same candidate" in said

    def test_a_copy_of_the_same_answers(self, arena):
        arena.answers(planted(1, 1, 1))
        copy = arena.folder / "copy.jsonl"
        copy.write_bytes((arena.folder / "a.jsonl").read_bytes())
        assert "one and the same candidate" in self.refused(arena, b=copy)

    def test_answers_that_miss_rows(self, arena):
        arena.answers(planted(2, 2, 2))
        file = arena.folder / "b.jsonl"
        file.write_text("".join(file.read_text().splitlines(keepends=True)[:4]))
        assert "2 of 6 rows have no answer, e.g." in self.refused(arena)

    def test_answers_to_other_questions(self, arena):
        arena.answers(planted(2, 2, 2))
        file = arena.folder / "b.jsonl"
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        lines[3]["digest"] = "0" * 64
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        said = self.refused(arena)
        assert "the digests differ" in said
        assert "line 4" in said

    def test_no_such_candidate(self, arena):
        arena.answers(planted(1, 1, 1))
        assert "nowhere" in self.refused(arena, a="nowhere")

    def test_faulty_rows(self, arena):
        arena.answers(planted(1, 1, 1))
        with arena.data.open("a") as file:
            file.write("{]\n")
        assert "line 4" in self.refused(arena)

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (["--margin", "2"], "margin"),
            (["--repeats", "2"], "must be odd"),
            (["--num-samples", "0"], "num-samples"),
            (["--confidence", "0.4"], "confidence"),
            (["--decide-by", "people"], "--decide-by people needs --margin"),
            (["--decide-by", "people", "--margin", "0.1"], "--decide-by people needs --ratings"),
            (["--no-reference"], "--judge rubric counts words"),
        ],
    )
    def test_options(self, arena, options, said):
        arena.answers([(SHORT, LONG)])
        assert said in self.refused(arena, *options)

    def test_a_server_that_gives_no_answer_leaves_its_rows_unscored(self, arena, served):
        """A candidate's failure to answer is no bad answer: nobody wins by it."""
        arena.answers([(SHORT, LONG)] * 3)
        _, judge = served()
        broken, _ = served(Answer(None, finish_reason="content_filter"))
        candidate = f"endpoint:model@{broken.url}/v1"
        held = arena.hold(judge=judge, b=candidate)
        assert held.code == 5
        assert held.outcomes == ["unscored"] * 3
        assert all(row["error"].startswith("B gave no answer") for row in held.duel["rows"])
        assert held.duel["b"]["unanswered"] == 3


def test_every_option_stands_in_the_help(arena):
    with pytest.raises(SystemExit) as stopped:
        arena.run("duel", "--help")
    assert stopped.value.code == 0
    shown = arena.capsys.readouterr().out
    for name in OPTIONS:
        assert f"--{name.replace('_', '-')}" in shown
