"""Tables for people: what is written comes back, and does no harm on the way."""

import csv
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.calibration.tables import read_table, write_table
from fixtures.contracts.errors import UserError
from tests.evals.calibration import quick

CELL = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=20)
ROWS = st.lists(st.fixed_dictionaries({"id": CELL.map(lambda text: f"x{text}"), "text": CELL}), min_size=1, max_size=5)


@given(ROWS, st.sampled_from([".csv", ".jsonl"]))
@quick
def test_what_is_written_comes_back(tmp_path_factory, rows, suffix):
    path = tmp_path_factory.mktemp("table") / f"table{suffix}"
    write_table(path, rows)
    assert [dict(row.values) for row in read_table(path)] == rows


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "'=", "''@", "\uff1d"])
def test_no_cell_is_a_formula(tmp_path, start):
    text = start + 'cmd|"/C calc"!A0'
    write_table(tmp_path / "t.csv", [{"id": text}])
    with (tmp_path / "t.csv").open(encoding="utf-8-sig", newline="") as file:
        cell = next(csv.DictReader(file))["id"]
    assert cell == "'" + text
    assert read_table(tmp_path / "t.csv")[0].values["id"] == text


@pytest.mark.parametrize("text", ["'tis", "it's = fine", "1-2", "''"])
def test_other_cells_are_left_alone(tmp_path, text):
    write_table(tmp_path / "t.csv", [{"id": text}])
    assert text in (tmp_path / "t.csv").read_text(encoding="utf-8-sig")
    assert read_table(tmp_path / "t.csv")[0].values["id"] == text


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_what_spreadsheets_make_of_csv(tmp_path, delimiter, mark):
    path = tmp_path / "t.csv"
    lines = ["id|rating|rater", '"a"|pass', "||", "", 'b|"two\r\nlines"|ben']
    path.write_bytes((mark + "\r\n".join(lines)).replace("|", delimiter).encode("utf-8"))
    assert read_table(path) == [
        (2, {"id": "a", "rating": "pass", "rater": ""}),
        (5, {"id": "b", "rating": "two\r\nlines", "rater": "ben"}),
    ]


def faults(path):
    with pytest.raises(UserError) as caught:
        read_table(path)
    return str(caught.value)


def test_all_faulty_lines_are_told_at_once(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"id": 1}\n{"id": NaN}\n[1]\n{"id": 2, "id": 3}\nno\n', encoding="utf-8")
    lines = faults(path).splitlines()
    assert lines[0].endswith("t.jsonl: 4 lines are faulty")
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["line 2", "line 3", "line 4", "line 5"]
    assert "NaN is no number" in lines[1]
    assert 'key "id" is given twice' in lines[3]


def test_hundreds_of_faults_do_not_fill_the_screen(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text("no\n" * 1000, encoding="utf-8")
    lines = faults(path).splitlines()
    assert len(lines) == 102
    assert lines[-1] == "  and 900 more"


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("t.csv", b"id,id\n1,2\n", 'line 1: two columns are called "id"'),
        ("t.csv", b"id\n1,2\n", "line 2: 2 cells under 1 columns"),
        ("t.csv", b'id\n"1\n', "line 2: not CSV"),
        ("t.csv", b"id,rating\n", "holds no row"),
        ("t.csv", b"", "holds no row"),
        ("t.csv", "id\nä".encode("latin-1"), 'a spreadsheet calls that "CSV UTF-8"'),
        ("t.xlsx", b"", "must end in .csv or .jsonl"),
    ],
)
def test_mistakes(tmp_path, name, content, problem):
    (tmp_path / name).write_bytes(content)
    assert problem in faults(tmp_path / name)


def test_a_file_that_is_not_there(tmp_path):
    assert faults(tmp_path / "t.csv").startswith("cannot read ")


def test_lone_surrogates_do_not_stop_a_table(tmp_path):
    for name in ("t.csv", "t.jsonl"):
        write_table(tmp_path / name, [{"id": "a\ud83d"}])
        assert read_table(tmp_path / name)[0].values["id"] == "a\\ud83d"
    assert json.loads((tmp_path / "t.jsonl").read_text(encoding="utf-8"))
