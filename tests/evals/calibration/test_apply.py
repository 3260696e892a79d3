"""A stored calibration corrects later runs of the same judge, and of no other."""

import pytest

from evals.calibration import CorrectedRate, corrected_rate, read_calibration
from evals.calibration.apply import why_unusable
from evals.calibration.judgements import judged_report
from evals.calibration.measure import calibrate
from evals.calibration.truth import TrueLabel, Truth, of_report
from evals.statistics import rogan_gladen, wilson
from fixtures.contracts.errors import UserError
from tests.evals.calibration import judged


def calibration_of(report):
    data = judged_report(report, name="report.json", digest="0" * 64, confidence=0.95)
    return calibrate(data, of_report(report), drawn=None, confidence=0.95)


def rated_calibration(true_pass, false_fail, false_pass, true_fail):
    """By ratings of samples each of which is a pair of its own."""
    report = judged((0, 0, 400, 600))
    passing, failing = ([row.id for row in report.samples if row.state == state] for state in ("passed", "failed"))
    right = passing[:true_pass] + failing[:false_fail]
    wrong = passing[true_pass:][:false_pass] + failing[false_fail:][:true_fail]
    truth = dict.fromkeys(right, TrueLabel(True)) | dict.fromkeys(wrong, TrueLabel(False))
    data = judged_report(report, name="report.json", digest="0" * 64, confidence=0.95)
    return calibrate(data, Truth("ratings", "majority", truth), drawn="other", confidence=0.95)


@pytest.fixture(scope="module")
def calibration():
    return calibration_of(judged((90, 0, 10, 40)))


def corrected(calibration, report, **changes):
    judge = report.judge.model_copy(update=changes)
    return corrected_rate(calibration, judge, report.samples, confidence=0.95)


def test_the_errors_of_the_calibration_are_taken_off(calibration):
    report = judged((60, 0, 10, 30, 5))
    found = corrected(calibration, report)
    expected = rogan_gladen(
        pass_rate=0.7,
        samples=100,
        sensitivity=1.0,
        passing_labels=calibration.sensitivity.effective,
        specificity=0.8,
        failing_labels=50,
        confidence=0.95,
    )
    assert found.estimate == expected
    assert found.estimate.rate == pytest.approx(0.625)
    assert found.raw == (0.7, wilson(70, 100, confidence=0.95))
    assert found.reason == (
        "the judge passes 100.0% of what is right and fails 80.0% of what is wrong, by the calibration with report.json"
    )


def test_the_oracle_of_rogan_and_gladen():
    """The example of Lee et al. (2025), with a stored calibration and a later report."""
    found = corrected(rated_calibration(180, 20, 60, 140), judged((0, 0, 400, 600)))
    assert [found.estimate.rate, *found.estimate.interval] == pytest.approx([0.166667, 0.056351, 0.262733], abs=5e-7)


def test_a_calibration_comes_back_from_its_file(calibration, tmp_path):
    (tmp_path / "c.json").write_text(calibration.to_json(), encoding="utf-8")
    assert read_calibration(tmp_path / "c.json") == calibration


def test_the_confidence_is_the_callers(calibration):
    report = judged((60, 0, 10, 30))
    wide, narrow = (corrected_rate(calibration, report.judge, report.samples, confidence=c) for c in (0.95, 0.9))
    assert narrow.estimate.rate == wide.estimate.rate
    assert narrow.estimate.interval.width < wide.estimate.interval.width


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"metric_fingerprint": "ff"}, "metric fingerprint: "),
        ({"metric": "Other"}, 'metric: "CategoryPrecision" in the calibration, "Other" in the run'),
        ({"score_mode": "weighted"}, 'score mode: "raw" in the calibration, "weighted" in the run'),
        ({"threshold": 0.7}, "threshold: 0.8 in the calibration, 0.7 in the run"),
        ({"repeats": 3}, "repeats: 1 in the calibration, 3 in the run"),
        ({"members": []}, "judges on the panel: 1 in the calibration, 0 in the run"),
    ],
)
def test_another_judge_is_refused(calibration, changes, line):
    with pytest.raises(UserError) as caught:
        corrected(calibration, judged((3, 0, 0, 3)), **changes)
    first, *lines = str(caught.value).splitlines()
    assert first == "the calibration with report.json is of another judge"
    assert len(lines) == 1
    assert lines[0].startswith(f"  {line}")


def test_every_difference_is_named(calibration):
    report = judged((3, 0, 0, 3))
    (member,) = report.judge.members
    other = member.model_copy(update={"identity": {"kind": "ollama", "model": "llama3"}})
    with pytest.raises(UserError) as caught:
        corrected(calibration, report, members=[other], threshold=0.9, repeats=5)
    told = str(caught.value)
    for part in ('"llama3" in the run', "judge model: null in the calibration", "threshold: 0.8", "repeats: 1"):
        assert part in told


def test_what_cannot_change_a_verdict_may_differ(calibration):
    report = judged((60, 0, 10, 30))
    found = corrected(calibration, report, spec="named otherwise", confirm_failures=2, distinct_pairs=7)
    assert found.estimate is not None


def test_members_of_a_panel_may_sit_in_any_order(calibration):
    report = judged((60, 0, 10, 30))
    (member,) = report.judge.members
    one, two = (member.model_copy(update={"identity": {"kind": "x", "model": name}}) for name in "ab")
    panel = calibration.model_copy(update={"judge": report.judge.model_copy(update={"members": [one, two]})})
    assert corrected(panel, report, members=[two, one]).estimate is not None


def test_foreign_verdicts_fit_no_run(calibration):
    with pytest.raises(UserError, match="file of verdicts"):
        corrected(calibration.model_copy(update={"judge": None}), judged((3, 0, 0, 3)))


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ((10, 10, 10, 10), "no better than chance: sensitivity 0.5 and specificity 0.5 add up to no more than 1"),
        ((2, 18, 15, 5), "no better than chance"),
        ((20, 2, 0, 0), "no sample of the calibration truly fails"),
        ((0, 0, 3, 20), "no sample of the calibration truly passes"),
    ],
)
def test_what_cannot_correct_says_why(cells, reason):
    stored = calibration_of(judged(cells))
    found = corrected(stored, judged((10, 2, 2, 10)))
    assert found.estimate is None
    assert reason in found.reason
    assert found.raw.rate == 0.5
    assert why_unusable(stored) == found.reason


def test_a_pass_rate_that_such_a_judge_cannot_give():
    found = corrected(rated_calibration(190, 10, 70, 30), judged((0, 0, 0, 500)))
    assert found.estimate is None
    assert "errs differently here" in found.reason


def test_nothing_was_judged(calibration):
    assert corrected(calibration, judged((0, 0, 0, 0, 3))) == CorrectedRate(None, None, "the judge gave no verdict")


@pytest.mark.parametrize(
    ("content", "problem"),
    [(None, "cannot read calibration"), ("{}", "is no calibration of this version: source: Field required")],
)
def test_files_that_are_no_calibration(tmp_path, content, problem):
    path = tmp_path / "c.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=problem):
        read_calibration(path)
