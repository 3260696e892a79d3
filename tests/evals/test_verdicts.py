"""The store of verdicts: durable, shared, found by all that can change a verdict, and hard to break."""

import asyncio
import json
import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evals.judges import Judgement
from evals.verdicts import Asked, Paid, Verdict, VerdictStore
from evals.verdicts.records import canonical, digest
from evals.verdicts.rows import COLUMNS, Record
from fixtures.contracts.errors import UserError

# Not imported from conftest.py: the processes started here import this module, and need no DeepEval.
ROOT = Path(__file__).parents[2]
JUDGE = {"kind": "ollama", "model": "llama3.1:8b", "options": {"temperature": 0}}
ASKED = Asked(JUDGE, "3f" * 32, "raw", Judgement("sci.space", "sci.med"), 0)
PAID = Paid(0.5, "related", '{"score": 5}', 400, 30, 0.2, "llama3.1:8b")


def ask(number, **changes):
    return replace(ASKED, judgement=Judgement(f"answer {number}", "sci.med"), **changes)


def answer(number):
    """Large enough that a page holds few, and told apart by its reason."""
    return replace(PAID, reason=f"because {number} " * 30, raw=f"raw {number} " * 30)


def records(numbers):
    """To be stored in one go, where a test is about something else."""
    return [Record(ask(number), answer(number), 1e9) for number in numbers]


def sql(path, *statements):
    """What another program does to the file."""
    with closing(sqlite3.connect(path)) as connection, connection:
        return [connection.execute(statement).fetchall() for statement in statements]


def files(folder):
    return sorted(entry.name for entry in folder.iterdir())


def finished(*processes):
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    return [process.exitcode for process in processes]


SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture(scope="module")
def one_store(tmp_path_factory):
    with VerdictStore(tmp_path_factory.mktemp("one") / "v") as store:
        yield store


class TestKeeping:
    def test_what_was_put_is_there_for_the_next_process(self, tmp_path):
        with VerdictStore(tmp_path / "v") as store:
            assert store.get(ASKED) is None
            assert store.put(ASKED, PAID) == Verdict(0.5, "related", None, '{"score": 5}')
        with VerdictStore(tmp_path / "v") as store:
            assert store.get(ASKED) == Verdict(0.5, "related", None, '{"score": 5}')
            assert store.notices == []
        assert files(tmp_path) == ["v"]

    def test_the_first_verdict_wins(self, tmp_path):
        with VerdictStore(tmp_path / "v") as store:
            store.put(ASKED, PAID)
            assert store.put(ASKED, replace(PAID, score=1.0, reason="second")).reason == "related"

    def test_hostile_and_long_texts_are_kept_in_a_printable_form(self, tmp_path):
        reason = "\ud83d \x00 \x1b[2J 日本語" + "x" * 1_000_000
        with VerdictStore(tmp_path / "v") as store:
            store.put(ASKED, replace(PAID, reason=reason, raw="\x00", model="\ud83d"))
        with VerdictStore(tmp_path / "v") as store:
            stored = store.get(ASKED)
        assert stored.reason == "\\ud83d \\x00 \\x1b[2J 日本語" + "x" * 1_000_000
        assert stored.raw == "\\x00"

    @pytest.mark.parametrize(
        "text", ["", "\ud83d", "\x00", "a\x00b", "\\ud83d", "日本語", "\x1b[2J", "'; --", "x" * 10**6]
    )
    def test_a_pair_is_found_by_its_very_texts(self, tmp_path, text):
        with VerdictStore(tmp_path / "v") as store:
            for number, judgement in enumerate([Judgement(text, "b"), Judgement("b", text), Judgement("c", "c")]):
                store.put(replace(ASKED, judgement=judgement), answer(number))
        with VerdictStore(tmp_path / "v") as store:
            assert store.get(replace(ASKED, judgement=Judgement("b", text))).reason == answer(1).reason
            assert {record.asked.judgement.actual for record in store.records()} == {text, "b", "c"}

    @settings(max_examples=100, deadline=None)
    @given(
        numbers=st.tuples(
            st.floats(0, 1), st.none() | st.integers(0, 2**63 - 1), st.none() | st.integers(0, 9), st.floats(0, 1e300)
        ),
        created=st.floats(allow_nan=False, allow_infinity=False),
        texts=st.lists(st.text(st.characters()), min_size=5, max_size=5),
    )
    def test_every_number_and_text_comes_back(self, one_store, numbers, created, texts):
        score, tokens_in, tokens_out, seconds = numbers
        asked = replace(ASKED, judgement=Judgement(*texts[:2]), judge={"kind": repr((numbers, created, texts))})
        record = Record(asked, Paid(score, *texts[2:4], tokens_in, tokens_out, seconds, texts[4]), created)
        one_store.add([record])
        assert one_store.get(asked) == record.verdict
        assert record in one_store.records()
        assert one_store.notices == []

    def test_thousands_at_once(self, tmp_path):
        asked = [ask(number) for number in range(10_000)]
        with VerdictStore(tmp_path / "v") as store:
            store.add([Record(entry, PAID, 1e9) for entry in asked[:9000]])
            started = time.process_time()
            found = store.get_many(asked)
            assert time.process_time() - started < 2
        assert found.keys() == {entry.key for entry in asked[:9000]}

    def test_columns_are_readable(self, tmp_path):
        with VerdictStore(tmp_path / "v") as store:
            store.put(ASKED, PAID)
        with closing(sqlite3.connect(tmp_path / "v")) as connection:
            connection.row_factory = sqlite3.Row
            (row,) = map(dict, connection.execute("SELECT * FROM verdicts"))
        assert abs(row.pop("created") - time.time()) < 60
        assert len(row.pop("checksum")) == 64
        assert json.loads(row.pop("judge")) == JUDGE
        assert row == {
            "key": ASKED.key,
            "judge_kind": "ollama",
            "judge_model": "llama3.1:8b",
            "metric": "3f" * 32,
            "score_mode": "raw",
            "actual": "sci.space",
            "expected": "sci.med",
            "repeat": 0,
            "score": 0.5,
            "reason": "related",
            "raw": '{"score": 5}',
            "tokens_in": 400,
            "tokens_out": 30,
            "seconds": 0.2,
            "served_model": "llama3.1:8b",
            "input": "",
        }

    def test_verdicts_on_one_pair_with_other_inputs_stand_apart(self, tmp_path):
        asked = [
            Asked(JUDGE, "3f" * 32, "raw", Judgement("yes", "yes", text, "Correctness")) for text in ("", "a", "b")
        ]
        with VerdictStore(tmp_path / "v") as store:
            for number, entry in enumerate(asked):
                store.put(entry, answer(number))
        with VerdictStore(tmp_path / "v") as store:
            assert [store.get(entry).reason for entry in asked] == [answer(number).reason for number in range(3)]
            assert sorted(record.asked.judgement.input for record in store.records()) == ["", "a", "b"]

    def test_a_clock_that_goes_backwards_changes_nothing(self, tmp_path, monkeypatch):
        clock = iter([2e9, 1e9, -5.0])
        monkeypatch.setattr(time, "time", lambda: next(clock))
        with VerdictStore(tmp_path / "v") as store:
            for number in range(3):
                store.put(ask(number), answer(number))
        with VerdictStore(tmp_path / "v") as store:
            assert [store.get(ask(number)).reason for number in range(3)] == [answer(n).reason for n in range(3)]
            assert sorted(record.created for record in store.records()) == [-5.0, 1e9, 2e9]
            assert store.notices == []

    @pytest.mark.parametrize(
        "wrong", [{"score": 1.1}, {"score": float("nan")}, {"seconds": -1.0}, {"tokens_in": 2**63}]
    )
    def test_what_no_judgement_costs_or_says(self, wrong):
        with pytest.raises(ValueError, match=r"a score|a judgement"):
            replace(PAID, **wrong)


class TestAddress:
    @pytest.mark.parametrize(
        "changes",
        [
            {"judge": JUDGE | {"model": "other"}},
            {"judge": JUDGE | {"options": {"temperature": 1}}},
            {"metric": "4f" * 32},
            {"score_mode": "weighted"},
            {"judgement": Judgement("sci.med", "sci.space")},
            {"judgement": Judgement("sci.space ", "sci.med")},
            {"repeat": 1},
        ],
    )
    def test_each_component_changes_it(self, tmp_path, changes):
        other = replace(ASKED, **changes)
        assert other.key != ASKED.key
        with VerdictStore(tmp_path / "v") as store:
            store.put(ASKED, PAID)
            assert store.get(other) is None

    def test_it_can_be_computed_by_others_and_never_changes(self):
        text = (
            '{"actual":"sci.space","expected":"sci.med","judge":{"kind":"ollama","model":"llama3.1:8b",'
            '"options":{"temperature":0}},"metric":"' + "3f" * 32 + '","repeat":0,"score_mode":"raw"}'
        )
        assert ASKED.key == sha256(text.encode()).hexdigest()

    def test_the_order_of_an_identity_does_not_matter(self):
        assert replace(ASKED, judge=dict(reversed(JUDGE.items()))).key == ASKED.key


def put_some(path, start, results):
    with VerdictStore(path) as store:
        results.put([store.put(ask(number), answer(start)).reason for number in range(100)])


def open_at_the_same_time(path, barrier):
    barrier.wait()
    with VerdictStore(path) as store:
        store.put(ask(os.getpid()), answer(0))


class TestSharing:
    def test_processes_agree_on_the_first_verdict(self, tmp_path):
        results = SPAWN.Queue()
        processes = [SPAWN.Process(target=put_some, args=(tmp_path / "v", start, results)) for start in range(2)]
        for process in processes:
            process.start()
        first, second = results.get(timeout=60), results.get(timeout=60)
        for process in processes:
            process.join(60)
        assert first == second
        assert sql(tmp_path / "v", "SELECT count(*) FROM verdicts") == [[(100,)]]

    @pytest.mark.parametrize("damaged", [False, True])
    def test_processes_open_a_store_at_the_same_moment(self, tmp_path, whole, damaged):
        path = tmp_path / "v"
        if damaged:
            path.write_bytes(whole.read_bytes()[: whole.stat().st_size * 3 // 4])
        barrier = SPAWN.Barrier(3)
        assert (
            finished(*(SPAWN.Process(target=open_at_the_same_time, args=(path, barrier)) for _ in range(3))) == [0] * 3
        )
        # The log of the damaged file may be left to whoever had it open.
        aside = {"v.damaged-1", "v.damaged-1-wal", "v.damaged-1-shm"} if damaged else set()
        assert {"v"} <= set(files(tmp_path)) <= {"v"} | aside
        with VerdictStore(path) as store:
            assert len([record for record in store.records() if record.answer.reason == answer(0).reason]) >= 3
            assert len(store.records()) > (200 if damaged else 2)

    @pytest.mark.parametrize("replaced", [False, True])
    def test_a_store_that_is_moved_away_while_in_use(self, tmp_path, replaced):
        with VerdictStore(tmp_path / "v") as store:
            store.put(ask(1), PAID)
            (tmp_path / "v").rename(tmp_path / "old")
            for suffix in ("-wal", "-shm"):
                (tmp_path / f"v{suffix}").rename(tmp_path / f"old{suffix}")
            if replaced:
                with VerdictStore(tmp_path / "v") as other:
                    other.put(ask(2), PAID)
            store.put(ask(3), PAID)
            assert "was replaced while in use" in store.notices[0]
        with VerdictStore(tmp_path / "v") as store:
            assert len(store.records()) == 1 + replaced
        with VerdictStore(tmp_path / "old") as store:
            assert store.get(ask(1)) is not None

    def test_a_lock_that_is_never_released(self, tmp_path, monkeypatch):
        monkeypatch.setattr("evals.verdicts.database.WAIT", 0.1)
        with VerdictStore(tmp_path / "v") as store:
            with closing(sqlite3.connect(tmp_path / "v")) as other:
                other.execute("BEGIN IMMEDIATE")
                with pytest.raises(UserError, match=r"another process has kept it locked for 0\.1 seconds"):
                    store.put(ASKED, PAID)
            assert store.put(ASKED, PAID).score == 0.5


class TestFromAnEventLoop:
    def test_what_aput_returns_is_durable_and_the_first(self, tmp_path):
        async def put(store, number):
            verdict = await store.aput(ask(number % 100), answer(number))
            assert other.get(ask(number % 100)) == verdict == store.get(ask(number % 100))
            return verdict.reason

        async def run(store):
            return await asyncio.gather(*(put(store, number) for number in range(200)))

        with VerdictStore(tmp_path / "v") as store, VerdictStore(tmp_path / "v") as other:
            reasons = asyncio.run(run(store))
            assert reasons == [answer(number).reason for number in range(100)] * 2
            # Another loop later.
            assert asyncio.run(put(store, 150)) == answer(50).reason
        assert files(tmp_path) == ["v"]

    def test_the_loop_goes_on_while_another_process_writes(self, tmp_path):
        async def run(store, other):
            other.execute("BEGIN IMMEDIATE")
            putting = asyncio.create_task(store.aput(ASKED, PAID))
            ticks = [await asyncio.sleep(0.01, store.get(ASKED)) for _ in range(20)]
            assert ticks == [None] * 20
            assert not putting.done()
            other.rollback()
            return await putting

        with VerdictStore(tmp_path / "v") as store, closing(sqlite3.connect(tmp_path / "v")) as other:
            assert asyncio.run(run(store, other)).score == 0.5

    def test_a_cancelled_loop_loses_nothing_that_was_finished(self, tmp_path):
        async def run(store):
            for number in range(50):
                asyncio.create_task(store.aput(ask(number), answer(number)))  # noqa: RUF006
            await asyncio.sleep(0)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt), VerdictStore(tmp_path / "v") as store:
            asyncio.run(run(store))
        with VerdictStore(tmp_path / "v") as store:
            assert len(store.records()) == 50

    def test_everybody_hears_of_an_error(self, tmp_path, monkeypatch):
        async def run(store):
            return await asyncio.gather(*(store.aput(ask(n), PAID) for n in range(3)), return_exceptions=True)

        monkeypatch.setattr("evals.verdicts.database.WAIT", 0.1)
        with VerdictStore(tmp_path / "v") as store:
            with closing(sqlite3.connect(tmp_path / "v")) as other:
                other.execute("BEGIN IMMEDIATE")
                assert all("another process has kept it locked" in str(error) for error in asyncio.run(run(store)))
            assert [verdict.score for verdict in asyncio.run(run(store))] == [0.5] * 3

    def test_damage_found_by_the_thread_is_told(self, tmp_path):
        with VerdictStore(tmp_path / "v") as store:
            store.put(ASKED, PAID)
            sql(tmp_path / "v", "UPDATE verdicts SET reason = 'forged'")
            assert asyncio.run(store.aput(ASKED, replace(PAID, reason="new"))).reason == "new"
            assert "1 damaged verdict was dropped" in store.notices[0]


WRITER = """
import sys
from pathlib import Path
from tests.evals.test_verdicts import VerdictStore, answer, ask
store = VerdictStore(Path(sys.argv[1]))
for number in range(int(sys.argv[2]), 1_000_000):
    store.put(ask(number), answer(number))
    print(number, flush=True)
"""


def write_and_kill(path, start, count):
    """Numbers of the verdicts, ``count`` or some more, that a process reported before it was killed."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, path, str(start)], cwd=ROOT, stdout=subprocess.PIPE)
    lines = [process.stdout.readline() for _ in range(count)]
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate(timeout=60)
    # The last line may be cut.
    return range(start, start + len(lines) + rest.count(b"\n"))


class TestDurability:
    def test_a_kill_loses_no_verdict_that_was_reported(self, tmp_path):
        start = 0
        for count in (1, 23, 200):
            reported = write_and_kill(tmp_path / "v", start, count)
            with VerdictStore(tmp_path / "v") as store:
                assert store.notices == []
                found = store.get_many(map(ask, reported))
            assert [found[ask(n).key].reason for n in reported] == [answer(n).reason for n in reported]
            start = reported[-1] + 2

    @pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.77, 0.999])
    def test_a_truncated_log_loses_its_end_only(self, tmp_path, share):
        reported = write_and_kill(tmp_path / "v", 0, 50)
        log = tmp_path / "v-wal"
        os.truncate(log, int(log.stat().st_size * share))
        with VerdictStore(tmp_path / "v") as store:
            found = store.get_many(map(ask, reported))
            numbers = [number for number in reported if ask(number).key in found]
            assert numbers == list(range(len(numbers)))
            assert all(found[ask(number).key].reason == answer(number).reason for number in numbers)
            store.put(ask(-1), PAID)
        with VerdictStore(tmp_path / "v") as store:
            assert len(store.records()) == len(numbers) + 1


COUNT = 300


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A store with many pages, four rows on most of them."""
    path = tmp_path_factory.mktemp("whole") / "v"
    with VerdictStore(path) as store:
        store.add(records(range(COUNT)))
    return path


def survivors(path):
    """Open a damaged store; check that it holds nothing wrong and works; how many verdicts are left, and notices."""
    with VerdictStore(path) as store:
        found = store.get_many(map(ask, range(COUNT)))
        missing = [number for number in range(COUNT) if ask(number).key not in found]
        for number in set(range(COUNT)).difference(missing):
            assert found[ask(number).key] == Verdict(0.5, answer(number).reason, None, answer(number).raw)
        store.add(records(missing))
        notices = store.notices
    with VerdictStore(path) as store:
        reasons = sorted(record.answer.reason for record in store.records())
        assert reasons == sorted(answer(number).reason for number in range(COUNT))
        assert len(store.get_many(map(ask, range(COUNT)))) == COUNT
        assert store.notices == []
    return len(found), notices


class TestDamage:
    @pytest.mark.parametrize(
        "content", [b"garbage", b"garbage" * 10_000, b"\0" * 8192, b"SQLite format 3\0" + b"x" * 9000]
    )
    def test_a_file_that_is_no_database(self, tmp_path, content):
        (tmp_path / "v").write_bytes(content)
        left, (notice,) = survivors(tmp_path / "v")
        assert left == 0
        assert "was set aside as v.damaged-1, 0 verdicts were saved from it" in notice
        assert (tmp_path / "v.damaged-1").read_bytes() == content
        assert files(tmp_path) == ["v", "v.damaged-1"]

    def test_names_already_taken(self, tmp_path):
        for content in (b"one", b"two", b"three"):
            (tmp_path / "v").write_bytes(content * 1000)
            VerdictStore(tmp_path / "v").close()
        assert [(tmp_path / f"v.damaged-{n}").read_bytes()[:3] for n in (1, 2, 3)] == [b"one", b"two", b"thr"]

    def test_an_empty_file_is_a_new_store(self, tmp_path):
        (tmp_path / "v").touch()
        assert survivors(tmp_path / "v") == (0, [])

    @pytest.mark.parametrize("share", [0.03, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99])
    @pytest.mark.parametrize("beyond_page", [0, 1, 2000])
    def test_a_truncated_file_keeps_its_beginning(self, tmp_path, whole, share, beyond_page):
        size = int(whole.stat().st_size * share) // 4096 * 4096 + beyond_page
        (tmp_path / "v").write_bytes(whole.read_bytes()[:size])
        left, (notice,) = survivors(tmp_path / "v")
        # A twentieth of the pages are of the index.
        assert left >= COUNT * share * 0.95 - 10
        assert f"was set aside as v.damaged-1, {left} verdicts were saved" in notice

    @settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(seed=st.integers(0, 2**32), flips=st.integers(1, 12))
    def test_flipped_bytes_lose_no_more_than_their_pages(self, tmp_path_factory, whole, seed, flips):
        source = random.Random(seed)
        content = bytearray(whole.read_bytes())
        for _ in range(flips):
            # Behind the first page, which describes all others.
            content[source.randrange(4096, len(content))] ^= source.randrange(1, 256)
        path = tmp_path_factory.mktemp("flips") / "v"
        path.write_bytes(content)
        left, notices = survivors(path)
        assert left == COUNT or notices
        assert left >= COUNT - 4 * flips
        shutil.rmtree(path.parent)

    @pytest.mark.parametrize("offset", [*range(0, 100, 7), 110, 200, 400, 4000])
    def test_a_flipped_byte_in_the_first_page(self, tmp_path, whole, offset):
        content = bytearray(whole.read_bytes())
        content[offset] ^= 0xFF
        (tmp_path / "v").write_bytes(content)
        left, _ = survivors(tmp_path / "v")
        assert left == COUNT

    def test_rows_are_saved_without_the_pages_that_list_them(self, tmp_path):
        """Large and small texts, whole numbers, nothing: all that the format writes in ways of its own."""
        reasons = ["x" * length for length in (0, 1, 3000, 3600, 4096, 100_000, 1_000_000)] + ["日本語"]
        costs = [(None, 0), (1, None), (127, 128), (32_768, 2**23), (2**31, 2**47), (2**62, 255), (0, 1), (5, 6)]
        kept = [
            # Zero is a negative one here.
            Record(ask(f"{n} \ud83d"), Paid(n % 3 / 2, reason, reason[::2], *tokens, float(n), ""), -1e9 * n)
            for n, (reason, tokens) in enumerate(zip(reasons, costs, strict=True))
        ]
        with VerdictStore(tmp_path / "v") as store:
            store.add(kept + records(range(2000)))
        content = (tmp_path / "v").read_bytes()
        (tmp_path / "v").write_bytes(b"\xff" * 8192 + content[8192:])
        with VerdictStore(tmp_path / "v") as store:
            saved = store.records()
            assert "2008 verdicts were saved" in store.notices[0]
        assert {record.asked.key: record for record in saved} == {
            record.asked.key: record for record in kept + records(range(2000))
        }

    def test_a_changed_row_is_dropped_and_asked_again(self, tmp_path, whole):
        shutil.copy(whole, tmp_path / "v")
        sql(tmp_path / "v", f"UPDATE verdicts SET score = 1.0 WHERE key = '{ask(7).key}'")
        left, (notice,) = survivors(tmp_path / "v")
        assert left == COUNT - 1
        assert "1 damaged verdict was dropped" in notice
        assert files(tmp_path) == ["v"]

    def test_a_put_replaces_a_damaged_row(self, tmp_path):
        with VerdictStore(tmp_path / "v") as store:
            store.put(ASKED, PAID)
            sql(tmp_path / "v", "UPDATE verdicts SET reason = 'forged'")
            assert store.put(ASKED, replace(PAID, reason="new")).reason == "new"
            assert store.get(ASKED).reason == "new"
            assert len(store.notices) == 1

    @pytest.mark.parametrize("first", ["get", "put"])
    def test_damage_that_comes_during_the_run(self, tmp_path, first):
        path = tmp_path / "v"
        with VerdictStore(path) as store:
            # More than SQLite keeps in memory.
            store.add(
                [replace(record, answer=replace(record.answer, raw="x" * 2000)) for record in records(range(3000))]
            )
        with VerdictStore(path) as store:
            store.put(ask(-1), PAID)
            with path.open("r+b") as file:
                file.seek(8192)
                file.write(os.urandom(path.stat().st_size - 200_000))
            if first == "put":
                store.put(ask(-2), PAID)
                assert store.get(ask(-2)).score == 0.5
            found = store.get_many(ask(number) for number in range(3000))
            assert all(found[ask(n).key].reason == answer(n).reason for n in range(3000) if ask(n).key in found)
            assert len(found) < 3000
            assert "set aside as v.damaged-1" in store.notices[0]
            store.put(ask(0), answer(0))
        with VerdictStore(path) as store:
            assert store.get(ask(0)).reason == answer(0).reason
            assert store.notices == []

    @pytest.mark.parametrize(("version", "name"), [(0, "v.v1-1"), (4, "v.v4-1")])
    def test_a_store_of_another_version(self, tmp_path, version, name):
        sql(
            tmp_path / "v",
            "CREATE TABLE verdicts (key TEXT PRIMARY KEY, score INTEGER, reason TEXT, raw TEXT)",
            "INSERT INTO verdicts VALUES ('k', 5, 'why', 'raw')",
            f"PRAGMA user_version={version}",
        )
        left, (notice,) = survivors(tmp_path / "v")
        assert left == 0
        assert f"is of version {version or 1}, not 3; it was set aside as {name}" in notice
        assert sql(tmp_path / name, "SELECT * FROM verdicts") == [[("k", 5, "why", "raw")]]

    def test_verdicts_of_the_version_before_inputs_are_kept(self, tmp_path):
        columns = {name: kind for name, kind in COLUMNS.items() if name != "input"}
        values = list(Record(ASKED, PAID, 1e9).entry().values())[:-1]
        values[3] = canonical(values[3])
        with closing(sqlite3.connect(tmp_path / "v", isolation_level=None)) as connection:
            connection.execute(f"CREATE TABLE verdicts ({', '.join(' '.join(column) for column in columns.items())})")
            connection.execute(
                f"INSERT INTO verdicts VALUES ({', '.join('?' * len(columns))})", [*values, digest(values)]
            )
            connection.execute("PRAGMA user_version=2")
        with VerdictStore(tmp_path / "v") as store:
            assert store.get(ASKED) == Record(ASKED, PAID, 1e9).verdict
            (notice,) = store.notices
        assert "is of version 2, not 3; it was set aside as v.v2-1, 1 verdicts were saved from it" in notice

    def test_another_programs_database_is_left_alone(self, tmp_path):
        sql(tmp_path / "v", "CREATE TABLE experiments (id INTEGER)")
        before = (tmp_path / "v").read_bytes()
        with pytest.raises(UserError, match="is a database, but no verdict store"):
            VerdictStore(tmp_path / "v")
        assert (tmp_path / "v").read_bytes() == before


ON_A_SMALL_DISK = """
import os, sys
from pathlib import Path
from tests.evals.test_verdicts import PAID, UserError, VerdictStore, answer, ask
folder = Path(sys.argv[1])
def attempt(work):
    try:
        return work()
    except UserError as error:
        print(error)
with VerdictStore(folder / "v") as store:
    done = 0
    while attempt(lambda: store.put(ask(done), answer(done))):
        done += 1
    print(done, len(store.get_many(map(ask, range(done + 1)))))
with VerdictStore(folder / "v") as store:
    print(len(store.get_many(map(ask, range(done + 1)))))
    attempt(lambda: store.put(ask(done), answer(done)))
attempt(lambda: VerdictStore(folder / "new" / "v"))
(folder / "ballast").unlink()
with VerdictStore(folder / "v") as store:
    store.put(ask(done), answer(done))
    print(len(store.get_many(map(ask, range(done + 1)))))
os.system(f"mount -o remount,ro {folder}")
attempt(lambda: VerdictStore(folder / "v"))
attempt(lambda: VerdictStore(folder / "other"))
"""


class TestDisk:
    def test_full_then_freed_then_read_only(self, tmp_path):
        prelude = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec"]
        mount = 'mount -t tmpfs -o size=1m tmpfs "$1"; head -c 500000 /dev/zero >"$1/ballast"; '
        if (
            shutil.which("unshare") is None
            or subprocess.run([*prelude, mount, "sh", tmp_path], capture_output=True, check=False).returncode
        ):
            pytest.skip("this system lets nobody mount a small disk")
        run = subprocess.run(
            [*prelude, mount + 'exec "$2" -c "$3" "$1"', "sh", tmp_path, sys.executable, ON_A_SMALL_DISK],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        place = f"cannot use verdict store {tmp_path}"
        full = "the disk is full; free some space and run again: every finished verdict is kept"
        lines = run.stdout.splitlines()
        done = int(lines[1].split()[0])
        assert done > 10
        assert lines == [
            f"{place}/v: {full}",
            f"{done} {done}",
            f"{done}",
            f"{place}/v: {full}",
            f"{place}/new/v: {full}",
            f"{done + 1}",
            f"{place}/v: unable to open database file; name a file that can be written with --verdict-store",
            f"{place}/other: Read-only file system; name a file that can be written with --verdict-store",
        ]

    def test_a_folder_under_its_name(self, tmp_path):
        with pytest.raises(UserError, match="it is a folder; name a file in it"):
            VerdictStore(tmp_path)

    def test_a_file_in_place_of_its_folder(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(UserError, match=r"cannot use verdict store .*/file/v: "):
            VerdictStore(tmp_path / "file" / "v")

    def test_links_to_a_store_are_that_store(self, tmp_path):
        (tmp_path / "there").mkdir()
        (tmp_path / "here").symlink_to(tmp_path / "there" / "v")
        with VerdictStore(tmp_path / "here") as store, VerdictStore(tmp_path / "there" / "v") as other:
            store.put(ASKED, PAID)
            assert other.get(ASKED) is not None
            assert store.notices == []
