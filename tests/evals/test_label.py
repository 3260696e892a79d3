"""``python -m evals label``: what people get to rate, and what becomes of their answers."""

import csv
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.calibration.drawing import draw
from evals.calibration.tables import read_table
from evals.commands import calibrate, label
from evals.reports.rows import PairRow
from fixtures.contracts.errors import UserError
from tests.evals.calibration import call, judged, quick


@pytest.fixture
def run(capsys):
    def run(*arguments, code=0, command=label):
        assert call(command, *arguments) == code
        captured = capsys.readouterr()
        return captured.err if code else captured.out

    return run


@pytest.fixture
def report(tmp_path):
    found = judged((60, 5, 4, 28, 3))
    (tmp_path / "report.json").write_text(found.to_json(), encoding="utf-8")
    return found


def of_part(drawn, part):
    return [row for row, of in drawn if of == part]


class TestDrawing:
    def test_parts_are_kept_apart(self, report):
        drawn = draw(report, 30, focus=20, seed=0)
        assert (len(of_part(drawn, "random")), len(of_part(drawn, "focus"))) == (30, 20)
        assert len({row.id for row, _ in drawn}) == 50
        # The order tells nothing of the part.
        assert {of for _, of in drawn[:25]} == {"random", "focus"}

    def test_equal_seeds_draw_equal_samples(self, report):
        assert draw(report, 30, focus=5, seed=1) == draw(report, 30, focus=5, seed=1)
        assert draw(report, 30, focus=5, seed=1) != draw(report, 30, focus=5, seed=2)

    def test_a_larger_draw_contains_the_smaller_one(self, report):
        small, large = ({row.id for row, _ in draw(report, count, focus=0, seed=3)} for count in (20, 40))
        assert small < large

    def test_the_random_part_does_not_know_what_the_judge_said(self, report):
        """Reports on the same samples by two judges give raters the same ones."""
        kinder = report.model_copy(
            update={
                "samples": [row.model_copy(update={"state": "passed", "score": 1.0}) for row in report.samples][::-1]
            }
        )
        first, second = (draw(one, 25, focus=9, seed=4) for one in (report, kinder))
        assert {row.id for row in of_part(first, "random")} == {row.id for row in of_part(second, "random")}

    @pytest.mark.parametrize("count", [1, 10, 50])
    def test_every_sample_is_drawn_equally_often(self, report, count):
        times = dict.fromkeys((row.id for row in report.samples), 0)
        for seed in range(400):
            for row, _ in draw(report, count, focus=0, seed=seed):
                times[row.id] += 1
        share = count / len(times)
        # Five standard deviations of a binomial count.
        spread = 5 * (400 * share * (1 - share)) ** 0.5
        assert all(abs(number - 400 * share) <= spread + 1 for number in times.values())

    def test_odd_ones_are_of_every_kind(self, report):
        odd = of_part(draw(report, 1, focus=12, seed=0), "focus")
        kinds = {(row.state, row.predicted == row.expected) for row in odd}
        assert {("failed", True), ("passed", False), ("unscored", True)} <= kinds
        assert ("passed", True) not in kinds

    def test_pairs_on_which_repeats_differ_are_odd(self, report):
        flipped = next(row for row in report.samples if row.state == "failed" and row.predicted != row.expected)
        pair = PairRow(
            expected=flipped.expected,
            predicted=flipped.predicted,
            samples=1,
            score=0.5,
            spread=0.6,
            flipped=True,
            votes=[],
            confirmations=[],
        )
        odd = of_part(draw(report.model_copy(update={"pairs": [pair]}), 1, focus=4, seed=0), "focus")
        assert flipped.id in {row.id for row in odd}

    def test_when_nothing_is_odd_scores_near_the_threshold_are(self):
        rows = judged((10, 0, 0, 10))
        near = [row.model_copy(update={"score": 0.7}) if n == 15 else row for n, row in enumerate(rows.samples)]
        odd = of_part(draw(rows.model_copy(update={"samples": near}), 1, focus=1, seed=0), "focus")
        assert odd == [near[15]]

    @given(st.integers(1, 20), st.integers(0, 20), st.integers(0, 10))
    @quick
    def test_no_more_than_there_are(self, count, focus, seed):
        report = judged((9, 3, 3, 3, 2))
        if count + focus <= 20:
            assert len(draw(report, count, focus=focus, seed=seed)) == count + focus
        else:
            with pytest.raises(UserError, match=r"the report has 20; lower --count or --focus"):
                draw(report, count, focus=focus, seed=seed)


class TestForRaters:
    def test_what_raters_get(self, run, report, tmp_path):
        said = run("draw", tmp_path, "--count", 20, "--focus", 5, "--output", tmp_path / "l.csv")
        assert "20 of 100 samples, drawn at random, and 5 odd ones" in said
        assert f"python -m evals label read FILE... --report {tmp_path}/report.json" in said
        rows = read_table(tmp_path / "l.csv")
        assert len(rows) == 25
        assert list(rows[0].values) == ["id", "part", "text", "expected", "predicted", "rating", "rater"]
        by_id = {row.id: row for row in report.samples}
        for row in rows:
            sample = by_id[row.values["id"]]
            assert (row.values["text"], row.values["predicted"]) == (sample.text, sample.predicted)
            assert row.values["rating"] == row.values["rater"] == ""

    @pytest.mark.parametrize("name", ["l.csv", "l.jsonl"])
    def test_raters_are_not_told_what_the_judge_said(self, run, report, tmp_path, name):
        run("draw", tmp_path, "--count", 100, "--output", tmp_path / name)
        written = (tmp_path / name).read_text(encoding="utf-8-sig")
        assert not any(f"{word}" in written for word in ("passed", "failed", "unscored", "close", "odd"))

    def test_blind_raters_are_not_told_the_label_either(self, run, report, tmp_path):
        run("draw", tmp_path, "--blind", "--output", tmp_path / "l.jsonl")
        assert "expected" not in json.loads((tmp_path / "l.jsonl").read_text(encoding="utf-8").splitlines()[0])

    @pytest.mark.parametrize(
        ("arguments", "problem"),
        [
            (("--count", "101"), "the report has 100; lower --count or --focus"),
            (("--count", "0"), "--count is '0': must be greater than or equal to 1"),
            (("--focus", "-1"), "--focus is '-1': must be greater than or equal to 0"),
            (("--seed", "x"), "--seed is 'x': must be a valid integer"),
            (("--output", "l.xlsx"), "must end in .csv or .jsonl"),
        ],
    )
    def test_mistakes(self, run, report, tmp_path, arguments, problem):
        said = run("draw", tmp_path, "--output", tmp_path / "l.csv", *arguments, code=2)
        assert problem in said
        assert len(said.splitlines()) == 1


def fill(source, target, rater, rate):
    """What a rater does with a spreadsheet."""
    with source.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0], delimiter=";")
        writer.writeheader()
        for place, row in enumerate(rows):
            writer.writerow(row | {"rating": rate(row), "rater": rater if place == 0 else ""})
    return target


@pytest.fixture
def drawn(run, report, tmp_path):
    run("draw", tmp_path, "--count", 40, "--focus", 10, "--output", tmp_path / "l.csv")
    return tmp_path / "l.csv"


def by_label(row):
    return "pass" if row["expected"] == row["predicted"] else "FAIL"


def test_from_drawing_to_calibration(run, report, drawn, tmp_path):
    files = [fill(drawn, tmp_path / f"{name}.csv", name, by_label) for name in ("anna", "ben")]
    said = run("read", *files, "--report", tmp_path, "--output", tmp_path / "r.jsonl")
    assert said == f"100 ratings of 50 samples by anna, ben are in {tmp_path}/r.jsonl\n"
    rows = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {row["rating"] for row in rows} == {"pass", "fail"}
    assert [row["part"] for row in rows].count("focus") == 20
    told = run(tmp_path, "--ratings", tmp_path / "r.jsonl", command=calibrate)
    assert "(a random part)" in told
    assert "anna, ben       40  100.0%  1.000" in told
    assert "labels of part focus were drawn for a disagreement: shown" in told


def test_all_faults_are_told_at_once_and_nothing_is_written(run, report, drawn, tmp_path):
    anna = fill(drawn, tmp_path / "anna.csv", "anna", by_label)
    lines = anna.read_text(encoding="utf-8").splitlines()
    lines[1] = lines[1].replace("pass", "").replace("FAIL", "")
    lines[2] = lines[2].replace("pass", "perhaps").replace("FAIL", "perhaps")
    lines[3] = "elsewhere-1;random;t;a;a;pass;anna"
    lines.append(lines[4])
    anna.write_text("\n".join(lines), encoding="utf-8")
    told = run("read", anna, "--report", tmp_path, "--output", tmp_path / "r.jsonl", code=2).splitlines()
    assert told[0] == f"error: {anna}: 4 lines are faulty"
    assert [line.split(":")[0].strip() for line in told[1:]] == ["line 2", "line 3", "line 4", "line 52"]
    assert [
        word in line for word, line in zip(("missing", "perhaps", "no sample", "already"), told[1:], strict=True)
    ] == [True] * 4
    assert not (tmp_path / "r.jsonl").exists()


def test_unfinished_work_can_be_taken_on_purpose(run, report, drawn, tmp_path):
    half = iter([True, False] * 25)
    anna = fill(drawn, tmp_path / "anna.csv", "anna", lambda row: by_label(row) if next(half) else "")
    given = ("read", anna, "--report", tmp_path, "--output", tmp_path / "r.jsonl")
    assert "25 lines are faulty" in run(*given, code=2)
    assert "note: 25 ratings are missing and left out" in run(*given, "--allow-missing")


def test_scores_and_labels(run, report, drawn, tmp_path):
    scores = fill(drawn, tmp_path / "scores.csv", "anna", lambda row: "9" if by_label(row) == "pass" else "2,5")
    given = ("--report", tmp_path, "--output", tmp_path / "r.jsonl")
    assert "'2,5' is no rating: it must be a number from 0 to 10" in run(
        "read", scores, *given, "--pass-from", "8", code=2
    )
    words = fill(drawn, tmp_path / "words.csv", "anna", lambda row: "Gut" if by_label(row) == "pass" else "schlecht")
    run("read", words, *given, "--pass-labels", "gut", "--fail-labels", "schlecht")
    assert '"rating": "gut"' in (tmp_path / "r.jsonl").read_text(encoding="utf-8")
