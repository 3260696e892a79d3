"""What a policy refers to: refused before a run costs anything, weighed by the gate after it."""

import pytest

from fixtures.judge_server import Judge, JudgeServer
from tests.evals.conftest import pairs
from tests.evals.judge_bench import spec


def rows(passing, total=300):
    """The same samples each time, the first ``passing`` of them answered right."""
    labels = ["sci.space" if number % 2 else "rec.autos" for number in range(total)]
    return [(label, label if number < passing else "sci.med") for number, label in enumerate(labels)]


@pytest.fixture
def baseline(evals):
    """A finished report of 300 samples, 270 of them right, out of the way of later runs."""
    run = evals.run(pairs=rows(270))
    assert run.exit_code == 0
    saved = evals.folder / "baseline.json"
    saved.write_bytes((run.folder / "report.json").read_bytes())
    return saved


@pytest.mark.parametrize(
    ("passing", "margin", "outcome"), [(270, "0.02", "pass"), (262, "0.02", "inconclusive"), (240, "0.02", "fail")]
)
def test_a_run_against_a_baseline(evals, baseline, passing, margin, outcome):
    run = evals.run("--baseline", str(baseline), "--margin", margin, pairs=rows(passing))
    condition = run.verdict["conditions"][-1]
    assert (condition["name"], condition["outcome"]) == ("difference to the baseline", outcome)
    assert run.verdict["outcome"] == outcome
    assert run.exit_code == (0 if outcome == "pass" else 1)
    assert run.report["baseline"]["lost"] == 270 - passing
    again = evals.run_process(
        *(str(evals.out), "--baseline", str(baseline), "--margin", margin), command=("-m", "evals", "gate"), plain=True
    )
    assert again.exit_code == {"pass": 0, "fail": 3, "inconclusive": 4}[outcome]


def test_another_judge_is_refused_before_it_is_asked(evals, baseline):
    with JudgeServer() as server:
        run = evals.run("--judge", spec("endpoint", server.url), "--baseline", str(baseline), pairs=pairs(9, 3))
        assert server.calls == []
    assert run.exit_code == 4
    assert "judges differ, and each draws its own line" in run.output


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--threshold", "0.4"], "thresholds differ"), (["--baseline", "nowhere.json"], "nowhere.json")],
)
def test_other_scales_and_absent_files_are_refused(evals, baseline, options, message):
    run = evals.run("--baseline", str(baseline), *options, pairs=pairs(9, 3))
    assert run.exit_code == 4
    assert message in run.output


def test_a_baseline_of_other_samples_is_refused(evals, baseline):
    run = evals.run("--baseline", str(baseline), pairs=rows(40, 40), texts=[f"another text {n}" for n in range(40)])
    assert run.exit_code == 4
    assert "no sample is in both" in run.output


def calibrate(evals, server, **judge):
    options = ["--judge", spec("endpoint", server.url), "--fail-on", "never"]
    run = evals.run(*options, pairs=pairs(150, 150))
    saved = evals.folder / "calibration.json"
    done = evals.run_process(str(run.folder), "--save", str(saved), command=("-m", "evals", "calibrate"), plain=True)
    assert done.exit_code == 0, done.output
    return saved, options


def test_a_lenient_judge_is_corrected_by_its_calibration(evals):
    """It passes related categories, too: 75 % as judged, half of that as it is."""
    with JudgeServer(judge=Judge(score=lambda pair: 10 if pair.actual[:3] == pair.expected[:3] else 2)) as server:
        saved, options = calibrate(evals, server)
        policy = ["--rate", "corrected", "--calibration", str(saved), "--min-pass-rate", "0.4"]
        run = evals.run(*options, *policy, pairs=pairs(150, 150))
    condition = run.verdict["conditions"][1]
    assert condition["name"] == "corrected pass rate"
    assert condition["value"] == pytest.approx(0.5, abs=0.02)
    assert condition["low"] < 0.5 < condition["high"]


def test_a_calibration_of_another_judge_is_refused(evals):
    with JudgeServer() as server:
        saved, options = calibrate(evals, server)
        policy = ["--rate", "corrected", "--calibration", str(saved)]
        calls = len(server.calls)
        for other in (["--judge-temperature", "1"], ["--threshold", "0.9"], ["--repeats", "3"]):
            run = evals.run(*options, *policy, *other, pairs=pairs(9, 3))
            assert run.exit_code == 4
            assert "the calibration with" in run.output
        assert len(server.calls) == calls


def test_a_judge_no_better_than_chance_is_not_saved_to_correct_by(evals):
    with JudgeServer(judge=Judge(score=lambda pair: 10)) as server:
        run = evals.run("--judge", spec("endpoint", server.url), "--fail-on", "never", pairs=pairs(150, 150))
    saved = evals.folder / "calibration.json"
    done = evals.run_process(str(run.folder), "--save", str(saved), command=("-m", "evals", "calibrate"), plain=True)
    assert done.exit_code == 2
    assert "the judge is no better than chance: sensitivity 1 and specificity 0" in done.output
    assert not saved.exists()
