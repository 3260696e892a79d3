"""What raters write, in whatever shape, and everything that can be wrong with it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.calibration.ratings import Label, read_ratings
from evals.calibration.scale import Rating, Scale
from fixtures.contracts.errors import UserError
from tests.evals.calibration import quick, write_jsonl

PASS, FAIL = Rating(True, "pass"), Rating(False, "fail")


@pytest.mark.parametrize("value", ["pass", " PASSED ", "True", "yes", "1", 1, 1.0, True])
def test_what_passes(value):
    assert Scale().read(value) == PASS


@pytest.mark.parametrize("value", ["fail", "Failed", "FALSE", "no", "0", 0, 0.0, False])
def test_what_fails(value):
    assert Scale().read(value) == FAIL


@pytest.mark.parametrize("value", ["", "maybe", 2, 0.5, math.nan, math.inf, None, [], {}])
def test_what_is_no_rating(value):
    with pytest.raises(ValueError, match="is no rating: it must be pass or fail"):
        Scale().read(value)


@pytest.mark.parametrize(("value", "passed"), [("8", True), (8, True), (7.9, False), ("10", True), (0, False)])
def test_scores(value, passed):
    assert Scale(8).read(value)[::2] == (passed, float(value))


@pytest.mark.parametrize("value", ["pass", "nan", math.nan, math.inf, -1, 10.5, 10**400, True, None, ""])
def test_what_is_no_score(value):
    with pytest.raises(ValueError, match="must be a number from 0 to 10"):
        Scale(8).read(value)


def test_labels_of_the_user():
    scale = Scale(pass_labels=["1", "Win"], fail_labels=["2", "0"])
    assert [scale.read(value).passed for value in (1, "win", 2, "0")] == [True, True, False, False]
    assert scale.read(2).label == "2"
    with pytest.raises(ValueError, match="must be one of 1, Win, 2, 0"):
        scale.read("Tie")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"pass_labels": ["a"]}, "belong together"),
        ({"fail_labels": ["a"]}, "belong together"),
        ({"pass_labels": ["a"], "fail_labels": ["A"]}, "cannot both pass and fail"),
        ({"pass_labels": ["a"], "fail_labels": ["b"], "pass_from": 5}, "keep one of them"),
    ],
)
def test_impossible_scales(given, problem):
    with pytest.raises(UserError, match=problem):
        Scale(**given)


@pytest.fixture
def ratings(tmp_path):
    def read(*contents, scale=None, **given):
        paths = []
        for number, content in enumerate(contents):
            path = tmp_path / f"file{number}.csv"
            path.write_text(content, encoding="utf-8")
            paths.append(path)
        return read_ratings(paths, scale or Scale(), **given)

    return read


def test_one_rating_a_line(ratings):
    found = ratings("id,rater,rating,part\na,anna,pass,random\na,ben,fail,random\nb,anna,0,focus\n")
    assert found.labels == [
        Label("a", "anna", PASS, "random"),
        Label("a", "ben", FAIL, "random"),
        Label("b", "anna", FAIL, "focus"),
    ]
    assert found.notes == []


def test_one_column_per_rater(ratings):
    found = ratings("id,text,anna,ben\na,x,1,0\nb,y,,1\n")
    assert found.labels == [
        Label("a", "anna", PASS, None),
        Label("a", "ben", FAIL, None),
        Label("b", "ben", PASS, None),
    ]


def test_columns_of_raters_can_be_named(ratings):
    found = ratings("id,anna,minutes,rating\na,1,17,x\n", raters=["anna"])
    assert found.labels == [Label("a", "anna", PASS, None)]


def test_a_list_of_ratings(tmp_path):
    path = write_jsonl(tmp_path / "r.jsonl", [{"id": 7, "people": [1, 0, None]}, {"id": 8, "people": [1]}])
    found = read_ratings([path], Scale())
    assert [(label.id, label.rater, label.rating.passed) for label in found.labels] == [
        ("7", "people 1", True),
        ("7", "people 2", False),
        ("8", "people 1", True),
    ]


def test_a_name_written_once_names_the_rater_of_the_file(ratings):
    found = ratings("id,rating,rater\na,1,anna\nb,0,\n", "id,rating\na,1\n")
    assert [label.rater for label in found.labels] == ["anna", "anna", "file1"]
    assert ["names no rater" in note and "'file1'" in note for note in found.notes] == [True]


def test_the_part_of_a_sample_holds_for_all_its_raters(ratings):
    found = ratings("id,part,rating,rater\na,focus,1,anna\n", "id,ben\na,0\n")
    assert [label.part for label in found.labels] == ["focus", "focus"]


def problems(ratings, *contents, **given):
    with pytest.raises(UserError) as caught:
        ratings(*contents, **given)
    return str(caught.value)


def test_all_faults_of_all_files_are_told_by_line(ratings):
    first = (
        "id,rater,rating,part\na,anna,pass,\na,anna,fail,\nb,anna,,\nc,anna,perhaps,\n,anna,1,\nd,,1,\ne,ben,1,half\n"
    )
    told = problems(ratings, first, "id,rating,rater\na,1,anna\n").splitlines()
    assert [line.partition(":")[0].strip().rpartition("/")[2] for line in told] == [
        "file0.csv",
        "line 3",
        "line 4",
        "line 5",
        "line 6",
        "line 7",
        "line 8",
        "file1.csv",
        "line 2",
    ]
    assert "anna rated sample 'a' already, in " in told[1]
    assert told[1].endswith("file0.csv line 2")
    assert told[2].endswith("the rating of sample 'b' is missing (--allow-missing)")
    assert "'perhaps' is no rating" in told[3]
    assert told[4].endswith('there is no id in column "id"')
    assert told[5].endswith("there is no rater, while other rows name several")
    assert "part is 'half'" in told[6]
    assert told[8].endswith("file0.csv line 2")


def test_missing_ratings_can_be_left_out(ratings):
    content = "id,anna,ben\na,1,\nb,,\n"
    assert "line 3: the rating of sample 'b' is missing" in problems(ratings, content)
    found = ratings(content, allow_missing=True)
    assert len(found.labels) == 1
    assert found.notes == ["1 ratings are missing and left out"]


def test_unknown_samples(ratings):
    assert "line 2: there is no sample 'z' in the report" in problems(ratings, "id,rating\nz,1\n", known={"a"})


def test_a_sample_of_two_parts(ratings):
    contents = ("id,part,rating,rater\na,focus,1,anna\n", "id,part,rating,rater\na,random,1,ben\n")
    assert "of part 'random' here and of part 'focus' elsewhere" in problems(ratings, *contents)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("name,rating\na,1\n", 'has no column "id"'),
        ("id,text\na,1\n", 'has neither a column "rating" nor one per rater'),
    ],
)
def test_columns_that_are_not_there(ratings, content, problem):
    assert problem in problems(ratings, content)


def test_a_rater_who_has_no_column(ratings):
    assert 'has no column "cleo"' in problems(ratings, "id,anna\na,1\n", raters=["cleo"])


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["", "1", "0", "x", "\x1b[2J"])), min_size=1, max_size=12))
@quick
def test_every_file_has_a_clear_result(tmp_path_factory, rows):
    path = write_jsonl(
        tmp_path_factory.mktemp("r") / "r.jsonl", [{"id": number, "rating": rating} for number, rating in rows]
    )
    clear = len(dict(rows)) == len(rows) and {rating for _, rating in rows} <= {"0", "1"}
    if clear:
        assert len(read_ratings([path], Scale()).labels) == len(rows)
        return
    with pytest.raises(UserError, match="faulty") as caught:
        read_ratings([path], Scale())
    assert "\x1b" not in str(caught.value)
