"""``python -m evals calibrate``: what people type, and what they read."""

import json
import re
import sys
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft202012Validator

import evals.calibration.model
from evals.calibration import Calibration, read_calibration
from evals.commands import calibrate
from tests.evals.calibration import call, judged, noisy_report, write_jsonl

SCHEMA = Path(evals.calibration.model.__file__).parent / "calibration.schema.json"


@pytest.fixture
def run(capsys):
    def run(*arguments, code=0):
        assert call(calibrate, *arguments) == code
        captured = capsys.readouterr()
        return captured.err if code else captured.out

    return run


@pytest.fixture
def report(tmp_path):
    found = judged((50, 5, 4, 16, 3))
    (tmp_path / "report.json").write_text(found.to_json(), encoding="utf-8")
    return found


@pytest.fixture
def rated(tmp_path, report):
    """Ratings of a random part by two raters, who differ on the last two samples."""

    def rated(number=40, part="random"):
        rows = [row for row in report.samples if row.state != "unscored"][::2][:number]
        lines = ["id,part,anna,ben"]
        for place, row in enumerate(rows):
            right = int(row.expected == row.predicted)
            lines.append(f"{row.id},{part},{right},{1 - right if place >= len(rows) - 2 else right}")
        path = tmp_path / "ratings.csv"
        path.write_text("\n".join(lines), encoding="utf-8")
        return path

    return rated


def test_against_the_labels_of_the_data(run, report, tmp_path):
    said = run(tmp_path)
    assert "Truth: exact match with the data set's labels" in said
    assert "75 samples count (all of them): 55 should pass, 20 should fail" in said
    assert re.search(r"passes what is right \(sensitivity\) +90\.9% .* 55 samples in 2 distinct pairs", said)
    assert re.search(r"judge passes +50 right +4 wrong\n +judge fails +5 wrong +16 right", said)
    assert re.search(r"-> +labels only +74\.4%", said)
    assert "the labels are the truth" in said
    assert "wrongly passed (score 1): c0-" in said
    assert "    close" in said


def test_at_a_low_threshold_exact_match_is_no_truth(run, tmp_path):
    (tmp_path / "report.json").write_text(judged((5, 1, 1, 5), threshold=0.5).to_json(), encoding="utf-8")
    assert "Note: at threshold 0.5 a related category passes" in run(tmp_path / "report.json")


def test_against_ratings(run, report, rated, tmp_path):
    said = run(tmp_path, "--ratings", rated())
    assert re.search(r"anna, ben +38 +94\.7% +0\.\d+", said)
    assert "36 samples count (a random part)" in said
    assert "Note: raters are evenly split on 2 samples" in said
    assert re.search(r"Recommended: .*, because ", said)


def test_ratings_of_unknown_origin(run, report, rated, tmp_path):
    assert "say --labels random" in run(tmp_path, "--ratings", rated(part=""))
    assert "(a random part)" in run(tmp_path, "--ratings", rated(part=""), "--labels", "random")


def test_scores_of_raters(run, report, tmp_path):
    rows = [
        {"id": row.id, "rater": rater, "rating": 9 if row.expected == row.predicted else number + 1}
        for number, rater in enumerate("ab")
        for row in report.samples
    ]
    said = run(tmp_path, "--ratings", write_jsonl(tmp_path / "r.jsonl", rows), "--pass-from", "8")
    assert "rank correlation" in said
    assert "as the truth does (mean ratings)" in said


def test_json_is_documented(run, report, tmp_path):
    run(tmp_path, "--json", tmp_path / "c.json")
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert schema == Calibration.model_json_schema(mode="serialization"), "run: python -m evals.calibration.model"
    Draft202012Validator(schema).validate(json.loads((tmp_path / "c.json").read_text(encoding="utf-8")))


def test_what_is_saved_can_be_applied(run, report, tmp_path):
    run(tmp_path, "--save", tmp_path / "c.json")
    stored = read_calibration(tmp_path / "c.json")
    assert stored.judge == report.judge
    assert (stored.schema_version, stored.confidence) == (1, 0.95)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [((5, 5, 5, 5), "no better than chance"), ((5, 1, 0, 0), "no sample of the calibration truly fails")],
)
def test_what_could_never_be_applied_is_not_saved(run, tmp_path, cells, reason):
    (tmp_path / "report.json").write_text(judged(cells).to_json(), encoding="utf-8")
    said = run(tmp_path, "--save", tmp_path / "c.json", code=2)
    assert said.startswith(f"error: nothing is saved to {tmp_path}/c.json: ")
    assert reason in said
    assert not (tmp_path / "c.json").exists()


def test_a_foreign_judge_cannot_be_saved(run, tmp_path):
    rows = [{"id": n, "verdict": n % 2, "truth": n % 3 > 0} for n in range(9)]
    path = write_jsonl(tmp_path / "j.jsonl", rows)
    assert "no run of ours has that one" in run("--judgements", path, "--save", tmp_path / "c.json", code=2)
    assert "9 samples count (all of them): 6 should pass, 3 should fail" in run("--judgements", path)


def test_a_foreign_judge_against_ratings(run, tmp_path):
    path = write_jsonl(tmp_path / "j.jsonl", [{"case": n, "verdict": n % 2} for n in range(9)])
    ratings = write_jsonl(tmp_path / "r.jsonl", [{"id": n, "anna": n % 2} for n in range(5)])
    said = run("--judgements", path, "--id-field", "case", "--ratings", ratings)
    assert "5 samples count (no random part): 2 should pass, 3 should fail" in said


@pytest.mark.parametrize("name", ["c.svg", "c.png"])
def test_pictures(run, report, tmp_path, name):
    pytest.importorskip("matplotlib")
    first, second = tmp_path / name, tmp_path / f"again-{name}"
    for path in (first, second):
        run(tmp_path, "--picture", path)
    assert first.read_bytes() == second.read_bytes()
    if name.endswith("svg"):
        texts = {element.text for element in ET.parse(first).iter() if element.tag.endswith("text")}
        assert {"labels only", "judge alone", "Rogan-Gladen", "PPI++", "50", "16", "judge passes"} <= texts


def test_a_picture_of_any_name(run, tmp_path):
    pytest.importorskip("matplotlib")
    rows = [{"id": n, "verdict": n % 2, "truth": True} for n in range(9)]
    path = write_jsonl(tmp_path / "審判 $x$ <b>.jsonl", rows)
    run("--judgements", path, "--picture", tmp_path / "c.svg")
    assert "審判 $x$ &lt;b&gt;.jsonl" in (tmp_path / "c.svg").read_text(encoding="utf-8")


def test_without_matplotlib_the_extra_is_named(run, report, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    said = run(tmp_path, "--picture", tmp_path / "c.svg", code=2)
    assert said == "error: --picture needs matplotlib: pip install 'newsjudge[train]'\n"


def test_texts_cannot_repaint_the_terminal(run, tmp_path):
    rows = [{"id": f"\x1b[2J{n}", "verdict": 1, "truth": n % 2, "reason": "\x1b]0;x\x07[bold]"} for n in range(4)]
    said = run("--judgements", write_jsonl(tmp_path / "j.jsonl", rows))
    assert "\x1b" not in said
    assert "[bold]" in said


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "name a report, or another system's verdicts by --judgements FILE"),
        (("REPORT", "--judgements", "j.jsonl"), "name a report, or another"),
        (("REPORT", "--id-field", "x"), "--id-field is for --judgements"),
        (("REPORT", "--threshold", "1"), "--threshold is for --judgements"),
        (("REPORT", "--confidence", "1"), "--confidence is '1': must be less than 1"),
        (("REPORT", "--pass-from", "11"), "--pass-from is '11': must be less than or equal to 10"),
        (("REPORT", "--ratings", "absent.csv"), "cannot read absent.csv"),
        (("REPORT", "--picture", "c.gif"), "must end in .svg or .png"),
        (("absent.json",), "cannot read report absent.json"),
    ],
)
def test_mistakes(run, report, tmp_path, arguments, problem):
    said = run(*[tmp_path if part == "REPORT" else part for part in arguments], code=2)
    assert said.startswith("error: ")
    assert problem in said
    assert len(said.splitlines()) == 1


def test_truth_from_two_sides(run, tmp_path):
    path = write_jsonl(tmp_path / "j.jsonl", [{"id": 1, "verdict": 1, "truth": 1}])
    assert "the truth is needed: --truth-field or --ratings" in run(
        "--judgements", write_jsonl(tmp_path / "k.jsonl", [{"id": 1, "verdict": 1}]), code=2
    )
    assert "keep one of them" in run("--judgements", path, "--ratings", path, code=2)


def test_ratings_of_another_report(run, report, tmp_path):
    ratings = write_jsonl(tmp_path / "r.jsonl", [{"id": "elsewhere-1", "anna": 1}])
    said = run(tmp_path, "--ratings", ratings, code=2)
    assert (
        f"no label is of a sample that was judged (elsewhere-1 is labelled, {report.samples[0].id} is judged)" in said
    )


@pytest.mark.slow
def test_27000_pairs_take_seconds(run, tmp_path):
    report = noisy_report(27_000)
    (tmp_path / "report.json").write_text(report.to_json(), encoding="utf-8")
    rows = [
        {"id": row.id, "rater": r, "rating": int(row.expected == row.predicted)} for row in report.samples for r in "ab"
    ]
    ratings = write_jsonl(tmp_path / "r.jsonl", rows)
    started = time.process_time()
    run(tmp_path, "--ratings", ratings, "--json", tmp_path / "c.json")
    assert time.process_time() - started < 10
