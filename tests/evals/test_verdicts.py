"""The store of verdicts: durable, shared, keyed by all that can change a verdict."""

import multiprocessing
import sqlite3

import pytest

from evals.judges import Judgement
from evals.verdicts import Verdict, VerdictStore, verdict_key
from fixtures.contracts.errors import UserError

PAIR = Judgement("a", "b")


def test_what_was_put_is_there_for_the_next_process(tmp_path):
    with VerdictStore(tmp_path / "v") as store:
        assert store.get("k") is None
        store.put("k", 5, "why", "raw")
    with VerdictStore(tmp_path / "v") as store:
        assert store.get("k") == Verdict(0.5, "why", None, "raw")


def test_the_first_verdict_wins(tmp_path):
    with VerdictStore(tmp_path / "v") as store:
        store.put("k", 5, "first", "raw")
        assert store.put("k", 9, "second", "raw").reason == "first"


def test_hostile_reasons_are_kept_in_a_printable_form(tmp_path):
    with VerdictStore(tmp_path / "v") as store:
        assert store.put("k", 5, "\ud83d \x00 \x1b[2J", "raw").reason == "\\ud83d \\x00 \\x1b[2J"


def _put_many(path, start):
    with VerdictStore(path) as store:
        for number in range(start, start + 50):
            store.put(str(number), 5, "why", "raw")


def test_two_processes_share_a_store(tmp_path):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_put_many, args=(tmp_path / "v", start)) for start in (0, 25)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    rows = sqlite3.connect(tmp_path / "v").execute("SELECT count(*) FROM verdicts").fetchone()
    assert rows == (75,)


@pytest.mark.parametrize(
    ("identity", "metric", "pair"),
    [({"model": "y"}, "m", PAIR), ({"model": "x"}, "n", PAIR), ({"model": "x"}, "m", Judgement("b", "a"))],
)
def test_another_judge_metric_or_pair_has_another_key(identity, metric, pair):
    assert verdict_key(identity, metric, pair) != verdict_key({"model": "x"}, "m", PAIR)


def test_lone_surrogates_have_a_key():
    assert len(verdict_key({}, "m", Judgement("\ud83d", "b"))) == 64


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot use verdict store"):
        VerdictStore(tmp_path / "file" / "v")
