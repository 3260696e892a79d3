"""``python -m evals verdicts``: looking into a store, and moving or forgetting what it holds."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from evals.__main__ import main
from evals.judges import Judgement
from evals.verdicts import Asked, Paid, VerdictStore
from evals.verdicts.rows import Record

DAY = 86_400.0
PAID = Paid(0.5, "related", "{}", 400, 30, 0.2, "llama3")
TEXTS = [
    "",
    "日本語",
    "\ud83d",
    "a\x00b\x1b[2J",
    "[bold]x[/bold]",
    "line\nbreak\u2028\x9b2J",
    '"quotes" \\ud83d',
    "x" * 100_000,
]


def asked(actual="sci.space", expected="sci.med", **changes):
    identity = {"kind": "ollama", "model": "llama3"}
    return replace(Asked(identity, "ab" * 32, "raw", Judgement(actual, expected), 0), **changes)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "verdicts.sqlite"


@pytest.fixture
def filled(path, monkeypatch):
    """Two judges, two repeats of a pair, a weighted score; one verdict a day."""
    rubric = {"kind": "rubric", "rules": 1}
    all_asked = [
        asked(),
        asked(repeat=1),
        asked("rec.autos"),
        asked(score_mode="weighted"),
        asked(judge=rubric, metric="cd" * 32),
    ]
    with VerdictStore(path) as store:
        store.add([Record(entry, replace(PAID, score=n / 4), n * DAY) for n, entry in enumerate(all_asked)])
    return path


@pytest.fixture
def verdicts(capsys):
    def run(*arguments, code=0):
        assert main(["verdicts", *map(str, arguments)]) == code
        captured = capsys.readouterr()
        return captured.err if code else captured.out

    return run


def sql(path, statement):
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement).fetchall()


class TestList:
    def test_groups(self, verdicts, filled):
        groups = json.loads(verdicts("list", filled, "--json"))
        assert [
            (
                group["name"],
                group["metric"][:2],
                group["score_mode"],
                group["verdicts"],
                group["pairs"],
                group["repeats"],
            )
            for group in groups
        ] == [
            ("ollama:llama3", "ab", "raw", 3, 2, 2),
            ("ollama:llama3", "ab", "weighted", 1, 1, 1),
            ("rubric", "cd", "raw", 1, 1, 1),
        ]
        assert groups[0]["judge"] == {"kind": "ollama", "model": "llama3"}
        assert (groups[0]["tokens_in"], groups[0]["tokens_out"]) == (1200, 90)
        assert (groups[0]["first"], groups[0]["last"], groups[0]["mean_score"]) == (0, 2 * DAY, 0.25)

    def test_the_table_is_readable_in_a_narrow_terminal(self, verdicts, filled):
        output = verdicts("list", filled)
        assert "5 of 5 verdicts in " in output
        for shown in ("ollama:llama3", "rubric", "weighted", "1200 in", "1970-01-03", "0.250"):
            assert shown in output

    @pytest.mark.parametrize(
        ("options", "count"),
        [
            ([], 5),
            (["--judge", "LLAMA"], 4),
            (["--judge", "ollama:ll"], 4),
            (["--judge", "gpt"], 0),
            (["--pair-contains", "AUTOS"], 1),
            (["--pair-contains", "sci.med"], 5),
            (["--judge", "rubric", "--pair-contains", "autos"], 0),
        ],
    )
    def test_conditions(self, verdicts, filled, options, count):
        assert len(json.loads(verdicts("list", "--verdict-store", filled, "--pairs", "--json", *options))) == count
        assert f"{count} of 5 verdicts" in verdicts("list", filled, *options)

    def test_hostile_texts_reach_no_terminal(self, verdicts, path):
        with VerdictStore(path) as store:
            store.put(asked("[red]a[/red]\x1b[2J\ud83d", judge={"kind": "x\x1b", "model": "[/]"}, metric="[/]"), PAID)
        for options in ([], ["--pairs"], ["--json"], ["--pairs", "--json"]):
            output = verdicts("list", path, *options)
            assert "\x1b" not in output
            assert "[/]" in output
            output.encode("utf-8")

    def test_the_default_store(self, verdicts, filled, monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)
        assert "there is no verdict store out/verdicts.sqlite; name one with --verdict-store" in verdicts(
            "list", code=2
        )
        (tmp_path / "out").mkdir()
        filled.rename(tmp_path / "out" / "verdicts.sqlite")
        assert len(json.loads(verdicts("list", "--json"))) == 3

    @pytest.mark.parametrize("command", [["list"], ["prune", "--judge", "x"], ["export", "f"], ["import", "f"]])
    def test_no_store_is_made(self, verdicts, tmp_path, monkeypatch, command):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "f").touch()
        assert "there is no verdict store absent" in verdicts(*command, "absent", code=2)
        assert [entry.name for entry in tmp_path.iterdir()] == ["f"]

    def test_what_is_no_store(self, verdicts, tmp_path):
        (tmp_path / "text").write_text("hello")
        sql(tmp_path / "other", "CREATE TABLE other (id)")
        assert "text is no verdict store: it is no SQLite database" in verdicts("list", tmp_path / "text", code=2)
        assert (tmp_path / "text").read_text() == "hello"
        assert "is a database, but no verdict store" in verdicts("list", tmp_path / "other", code=2)
        assert "it is a folder" in verdicts("list", tmp_path, code=2)
        assert "two stores are named" in verdicts("list", "a", "--verdict-store", "b", code=2)

    def test_damage_is_told_beside_the_output(self, filled, capsys):
        sql(filled, "UPDATE verdicts SET score = 1 WHERE repeat = 1")
        assert main(["verdicts", "list", str(filled), "--pairs", "--json"]) == 0
        captured = capsys.readouterr()
        assert len(json.loads(captured.out)) == 4
        assert captured.err.startswith("note: verdict store ")
        assert "1 damaged verdict was dropped" in captured.err


class TestPrune:
    @pytest.mark.parametrize(
        ("options", "left"),
        [
            (["--judge", "rubric"], 4),
            (["--metric", "abab"], 1),
            (["--score-mode", "weighted"], 4),
            (["--older-than", "30d"], 0),
            (["--judge", "llama", "--score-mode", "raw"], 2),
            (["--metric", "xy"], 5),
        ],
    )
    def test_all_conditions_must_hold(self, verdicts, filled, options, left):
        before = filled.read_bytes()
        assert f"would remove {5 - left} of 5 verdicts" in verdicts("prune", filled, *options)
        assert filled.read_bytes() == before
        assert f"removed {5 - left} of 5 verdicts" in verdicts("prune", filled, *options, "--yes")
        assert sql(filled, "SELECT count(*) FROM verdicts") == [(left,)]

    def test_age_by_the_clock_of_now(self, verdicts, filled, monkeypatch):
        monkeypatch.setattr("time.time", lambda: 4 * DAY + 1)
        verdicts("prune", filled, "--older-than", "48h", "--yes")
        assert sql(filled, "SELECT created FROM verdicts ORDER BY created") == [(3 * DAY,), (4 * DAY,)]

    def test_space_is_given_back(self, verdicts, path):
        with VerdictStore(path) as store:
            store.add([Record(asked(str(n)), replace(PAID, raw="x" * 10_000), 0.0) for n in range(100)])
        assert path.stat().st_size > 1_000_000
        verdicts("prune", path, "--judge", "ollama", "--yes")
        assert path.stat().st_size < 20_000

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ([], "say what to prune: --judge, --older-than, --metric or --score-mode"),
            (["--yes"], "say what to prune"),
            (["--older-than", "month"], "--older-than is 'month': must be a number and s, m, h, d or w, as 30d"),
        ],
    )
    def test_mistakes(self, verdicts, filled, options, message):
        assert message in verdicts("prune", filled, *options, code=2)
        assert sql(filled, "SELECT count(*) FROM verdicts") == [(5,)]


class TestMoving:
    @pytest.fixture
    def hostile(self, path):
        """A store of all kinds of texts."""
        with VerdictStore(path) as store:
            for number, text in enumerate(TEXTS):
                store.put(asked(text, text[::-1], repeat=number), replace(PAID, reason=text, raw=text, tokens_in=None))
        return path

    def test_export_and_import_are_inverse(self, verdicts, hostile, tmp_path):
        first, second, other = tmp_path / "first.jsonl", tmp_path / "second.jsonl", tmp_path / "other.sqlite"
        assert f"exported {len(TEXTS)} verdicts" in verdicts("export", first, hostile)
        assert f"imported {len(TEXTS)} verdicts" in verdicts("import", first, other, "--create")
        verdicts("export", second, other)
        assert first.read_bytes() == second.read_bytes()
        everything = "SELECT * FROM verdicts ORDER BY key"
        assert sql(hostile, everything.replace("*", "key, hex(actual), checksum")) == sql(
            other, everything.replace("*", "key, hex(actual), checksum")
        )
        with VerdictStore(other) as store:
            assert all(store.get(asked(text, text[::-1], repeat=n)) is not None for n, text in enumerate(TEXTS))

    def test_lines_are_in_order_and_readable(self, verdicts, hostile, tmp_path):
        verdicts("export", tmp_path / "f", hostile)
        text = (tmp_path / "f").read_text(encoding="utf-8")
        assert '"actual": "日本語"' in text
        lines = [json.loads(line) for line in text.splitlines() if line]
        assert len(lines) == len(TEXTS)
        assert [line["expected"] for line in lines] == sorted(line["expected"] for line in lines)
        assert set(lines[0]) == {name for _, name, *_ in sql(hostile, "PRAGMA table_info(verdicts)")} - {"checksum"}

    def test_existing_verdicts_win(self, verdicts, filled, tmp_path):
        verdicts("export", tmp_path / "f", filled)
        other = tmp_path / "other.sqlite"
        with VerdictStore(other) as store:
            store.put(asked(), replace(PAID, score=1.0))
            store.put(asked("rec.autos"), PAID)
        output = verdicts("import", tmp_path / "f", other)
        assert output.splitlines()[0].endswith("other.sqlite; 2 were there already")
        assert output.startswith("imported 3 verdicts into ")
        (line,) = output.splitlines()[1:]
        assert "has another score, 0; the store keeps 1: ollama:llama3, actual 'sci.space', expected 'sci.med'" in line
        assert "imported 0 verdicts" in verdicts("import", tmp_path / "f", other)
        with VerdictStore(other) as store:
            assert store.get(asked()).score == 1.0

    def test_all_faults_at_once_and_nothing_imported(self, verdicts, filled, tmp_path, path):
        verdicts("export", tmp_path / "f", filled)
        good = [json.loads(line) for line in (tmp_path / "f").read_text().splitlines()]
        changes = [
            {"score": 1.5},
            {"score": "1"},
            {"score": float("nan")},
            {"score": None},
            {"actual": "something else"},
            {"judge_kind": "openai"},
            {"judge": {"kind": "ollama", "model": "x"}},
            {"judge": "ollama"},
            {"repeat": -1},
            {"tokens_in": 1.5},
            {"tokens_out": 2**70},
            {"seconds": -1},
            {"score_mode": "other"},
            {"created": 1e300},
            {"reason": 5},
            {"surprise": 1},
            {"repeat": True, "score": 2},
        ]
        lines = [json.dumps(good[0] | change) for change in changes]
        without_raw = {name: value for name, value in good[0].items() if name != "raw"}
        lines += [json.dumps(without_raw), "{", "[1]", "[" * 100_000, "", json.dumps(good[1]), json.dumps(good[1])]
        (tmp_path / "f").write_bytes("\n".join(lines).encode() + b"\n\xff\n")
        output = verdicts("import", tmp_path / "f", tmp_path / "new.sqlite", "--create", code=2)
        first, *rest = output.splitlines()
        assert first.endswith("f: 23 lines are faulty; nothing was imported")
        found = {int(line.split()[1].rstrip(":")) for line in rest}
        assert found == {*range(1, 22), 24, 25}
        assert "  line 1: score: must be less than or equal to 1, not 1.5" in rest
        assert "  line 5: does not fit the rest of the line: key (computed: " in output
        assert "  line 6: does not fit the rest of the line: judge_kind" in rest
        assert "  line 18: raw: Field required" in rest
        assert "  line 24: the same judgement as in line 23" in rest
        assert "  line 25: not UTF-8" in rest
        assert len([line for line in rest if line.startswith("  line 17:")]) == 2
        assert not (tmp_path / "new.sqlite").exists()

    def test_a_hostile_file_is_shown_printable(self, verdicts, filled, tmp_path):
        (tmp_path / "f").write_text('{"key": "\x1b[2J"}\n{"\\u001b[2J": 1}\n')
        assert "\x1b" not in verdicts("import", tmp_path / "f", filled, code=2)

    def test_files(self, verdicts, filled, tmp_path):
        assert "is the store itself" in verdicts("export", filled, filled, code=2)
        assert "cannot read" in verdicts("import", tmp_path / "absent", filled, code=2)
        assert "cannot write" in verdicts("export", tmp_path, filled, code=2)
