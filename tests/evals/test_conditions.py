"""Everything else that a gate can ask for, and what it answers to odd evidence."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from evals.calibration import CorrectedRate
from evals.conditions import Evidence, Judged, Paired, Tally
from evals.gate import evaluate_gate
from evals.settings import GatePolicy
from evals.statistics import Estimate, Interval, score_test
from fixtures.judge_server import Judge, JudgeServer
from tests.evals.conftest import pairs
from tests.evals.judge_bench import spec

ORDER = ("pass", "inconclusive", "fail")


def tally(passed, failed, unscored=0):
    return Tally(passed=passed, failed=failed, unscored=unscored)


def judge(evidence, **policy):
    gate = evaluate_gate(evidence, GatePolicy(**{"min_pass_rate": 0.1} | policy))
    return gate, {condition.name: condition for condition in gate.conditions}


class TestCategories:
    def test_each_must_show_its_minimum(self):
        categories = {"a": tally(95, 5), "b": tally(70, 30), "c": tally(30, 70), "d": tally(9, 0)}
        gate, found = judge(Evidence(tally(204, 105), categories), min_category_pass_rate={"*": 0.7, "c": 0.2})
        assert {name: found[f"pass rate of {name}"].outcome for name in categories} == {
            "a": "pass",
            "b": "inconclusive",
            "c": "pass",
            "d": "inconclusive",
        }
        assert found["pass rate of d"].detail == "9 samples; 20 are needed"
        assert gate.outcome == "inconclusive"
        assert "not decided: pass rate of b, pass rate of d" in gate.sentence

    def test_one_bad_draw_among_twenty_is_not_called_a_failure(self):
        # 35 of 50 by itself excludes .8 at 95 %: p = .039; among 20 categories it proves nothing.
        categories = {f"c{number}": tally(41, 9) for number in range(19)} | {"unlucky": tally(35, 15)}
        _, found = judge(Evidence(tally(814, 186), categories), min_category_pass_rate={"*": 0.8})
        assert found["pass rate of unlucky"].outcome == "inconclusive"
        assert "not among 20 categories (Holm)" in found["pass rate of unlucky"].detail
        _, found = judge(Evidence(tally(35, 15), {"unlucky": tally(35, 15)}), min_category_pass_rate={"*": 0.8})
        assert found["pass rate of unlucky"].outcome == "fail"

    @given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=12))
    def test_those_named_failed_are_holms(self, counts):
        counts = [(passed, failed) for passed, failed in counts if passed + failed >= 20]
        categories = {f"c{number:02}": tally(*pair) for number, pair in enumerate(counts)}
        if not categories:
            return
        _, found = judge(Evidence(tally(500, 100), categories), min_category_pass_rate={"*": 0.6})
        p_values = [score_test(passed, passed + failed, 0.6, alternative="less") for passed, failed in counts]
        rejected = multipletests(p_values, alpha=0.05, method="holm")[0]
        outcomes = [found[f"pass rate of {name}"].outcome for name in categories]
        assert [outcome == "fail" for outcome in outcomes] == [bool(reject) for reject in rejected]

    @pytest.mark.parametrize("minimum", [0.0, 1.0])
    def test_extreme_minima(self, minimum):
        _, found = judge(Evidence(tally(50, 0), {"a": tally(50, 0)}), min_category_pass_rate={"*": minimum})
        assert found["pass rate of a"].outcome == ("pass" if minimum == 0 else "inconclusive")

    @pytest.mark.parametrize("kind", ["category", "metric"])
    def test_what_was_never_measured_is_no_reason_to_pass(self, kind):
        """A misspelt name would take its requirement out of the gate."""
        parts = {"categories" if kind == "category" else "metrics": {"style": tally(50, 0)}}
        gate, found = judge(Evidence(tally(50, 0), **parts), **{f"min_{kind}_pass_rate": {"styl": 0.5, "*": 0.5}})

        assert gate.outcome == "inconclusive"
        assert (found["pass rate of style"].outcome, found["pass rate of styl"].outcome) == ("pass", "inconclusive")
        assert found["pass rate of styl"].detail == f"no samples of such a {kind}"


def test_it_is_told_whether_model_or_judge_left_samples_unscored():
    unscored = Tally(passed=3, failed=1, unscored=6)
    found = [judge(Evidence(unscored, unanswered=unanswered))[0].sentence for unanswered in (0, 2, 6)]

    assert found == [
        "Incomplete: the judge gave no verdict on 6 of 10 samples; 3 of 4 others pass.",
        "Incomplete: the model gave no answer to 2, and the judge no verdict on 4 of 10 samples; 3 of 4 others pass.",
        "Incomplete: the model gave no answer to 6 of 10 samples; 3 of 4 others pass.",
    ]


class TestLabels:
    CONFUSION = ((90, 10, 0), (5, 95, 0), (0, 0, 0))

    @pytest.mark.parametrize(("minimum", "outcome"), [(0.85, "pass"), (0.92, "inconclusive"), (0.97, "fail")])
    def test_accuracy_and_macro_f1(self, minimum, outcome):
        evidence = Evidence(tally(185, 15), confusion=self.CONFUSION, expected_categories=2)
        _, found = judge(evidence, min_accuracy=minimum, min_macro_f1=minimum)
        assert (found["accuracy"].outcome, found["macro F1"].outcome) == (outcome, outcome)
        assert found["accuracy"].value == 0.925

    def test_the_judges_errors_are_clustered_on_pairs(self):
        """400 wrong answers that are two pairs show little about other pairs."""
        judged = [Judged(True, True, ("a", "a"))] * 400
        judged += [Judged(False, False, ("a", "b"))] * 200 + [Judged(False, False, ("b", "a"))] * 200
        _, found = judge(Evidence(tally(400, 400), judged=judged), min_judge_specificity=0.9, min_judge_sensitivity=0.2)
        assert found["judge's specificity"].outcome == "inconclusive"
        assert found["judge's specificity"].value == 1.0
        assert "400 samples, 2 distinct pairs" in found["judge's specificity"].detail

    def test_nothing_to_show_it_on(self):
        judged = [Judged(True, True, ("a", "a"))] * 50
        _, found = judge(Evidence(tally(50, 0), judged=judged), min_judge_specificity=0.5)
        assert (found["judge's specificity"].outcome, found["judge's specificity"].value) == ("inconclusive", None)
        assert "no wrong answer" in found["judge's specificity"].detail


class TestOthers:
    @pytest.mark.parametrize(
        ("gained", "lost", "outcome"), [(20, 20, "pass"), (20, 40, "inconclusive"), (10, 80, "fail"), (0, 0, "pass")]
    )
    def test_no_worse_than_the_baseline(self, gained, lost, outcome):
        paired = Paired("baseline", 1000, gained, lost)
        _, found = judge(Evidence(tally(800, 200), baseline=paired), baseline="x", margin=0.02)
        assert found["difference to the baseline"].outcome == outcome

    def test_nothing_in_common_with_the_baseline(self):
        gate, _ = judge(Evidence(tally(800, 200), baseline=Paired("b", 0, 0, 0)), baseline="x")
        assert gate.outcome == "inconclusive"

    @pytest.mark.parametrize(
        ("flips", "outcome"),
        [((0, 200), "pass"), ((10, 200), "inconclusive"), ((40, 200), "fail"), (None, "inconclusive")],
    )
    def test_flip_rate(self, flips, outcome):
        _, found = judge(Evidence(tally(50, 0), flips=flips), max_flip_rate=0.05)
        assert found["judge's flip rate"].outcome == outcome

    def test_a_corrected_rate_takes_the_place_of_the_raw_one(self, tmp_path):
        policy = {"rate": "corrected", "calibration": tmp_path, "min_pass_rate": 0.8}
        evidence = Evidence(
            tally(95, 5), corrected=lambda confidence: CorrectedRate(Estimate(0.7, Interval(0.6, 0.79)), None, "why")
        )
        gate, found = judge(evidence, **policy)
        assert (gate.outcome, found["corrected pass rate"].value) == ("fail", 0.7)
        assert gate.sentence.startswith("Fail: corrected for the judge's errors, 70.0% of the samples pass (95 of 100")
        gate, _ = judge(
            Evidence(tally(95, 5), corrected=lambda confidence: CorrectedRate(None, None, "no better than chance")),
            **policy,
        )
        assert gate.outcome == "inconclusive"

    @given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 3))
    def test_one_broken_requirement_breaks_the_gate(self, passed, failed, unscored):
        evidence = Evidence(
            tally(passed, failed, unscored),
            {"a": tally(passed, failed, unscored)},
            confusion=((passed, failed), (0, 0)),
            expected_categories=1,
            judged=[Judged(True, True, ("a", "a"))] * passed + [Judged(False, False, ("b", "a"))] * failed,
            flips=(0, 1),
            baseline=Paired("b", passed + failed, passed, failed),
        )
        gate, _ = judge(
            evidence,
            min_category_pass_rate={"*": 0.5},
            min_accuracy=0.5,
            min_macro_f1=0.5,
            baseline="b",
            max_flip_rate=0.1,
            min_judge_sensitivity=0.5,
            min_judge_specificity=0.5,
        )
        if unscored or not passed + failed:
            assert gate.outcome == "incomplete"
        else:
            assert gate.outcome == max((condition.outcome for condition in gate.conditions), key=ORDER.index)


class TestWaysOut:
    """What is open says how much more would decide it, and that number is right."""

    def test_every_open_condition_says_it(self):
        evidence = Evidence(
            tally(150, 50),
            {"a": tally(75, 25)},
            confusion=((75, 25), (25, 75)),
            expected_categories=2,
            judged=[Judged(True, number % 5 > 0, (f"p{number}", "x")) for number in range(60)],
            flips=(10, 100),
            baseline=Paired("b", 200, 10, 12),
        )
        gate, found = judge(
            evidence,
            min_pass_rate=0.74,
            min_category_pass_rate={"*": 0.72},
            min_accuracy=0.74,
            baseline="b",
            max_flip_rate=0.12,
            min_judge_sensitivity=0.85,
        )
        assert "about 12,000 samples would decide it with 80% power" in gate.sentence
        for name, of in (
            ("pass rate of a", "samples of it would decide it"),
            ("accuracy", "samples would decide it"),
            ("judge's flip rate", "distinct pairs would decide it"),
            ("judge's sensitivity", "distinct pairs would decide it"),
            ("difference to the baseline", "samples decide it with 80% power"),
        ):
            assert found[name].outcome == "inconclusive"
            assert of in found[name].detail, found[name].detail

    @given(st.integers(30, 300).flatmap(lambda n: st.tuples(st.integers(1, n - 1), st.just(n))))
    def test_the_number_is_larger_than_what_there_was(self, counts):
        passed, total = counts
        _, found = judge(
            Evidence(tally(passed, total - passed), {"a": tally(passed, total - passed)}),
            min_accuracy=None,
            min_category_pass_rate={"*": 0.8},
        )
        detail = found["pass rate of a"].detail
        if number := re.search(r"about ([0-9,]+) samples", detail):
            assert int(number[1].replace(",", "")) > total

    def test_a_rate_that_equals_the_requirement(self):
        _, found = judge(Evidence(tally(80, 20), {"a": tally(80, 20)}), min_category_pass_rate={"*": 0.8})
        assert "no number of samples of it decides a rate that equals" in found["pass rate of a"].detail


# -- through a run -----------------------------------------------------------------


def test_a_policy_with_everything_in_it(evals, tmp_path):
    policy = {
        "min_pass_rate": 0.6,
        "min_category_pass_rate": {"sci.space": 0.3, "*": 0.5},
        "min_accuracy": 0.6,
        "min_macro_f1": 0.5,
        "max_flip_rate": 0.9,
        "min_judge_sensitivity": 0.6,
        "min_judge_specificity": 0.6,
    }
    (tmp_path / "policy.json").write_text(json.dumps(policy))
    run = evals.run("--policy", str(tmp_path / "policy.json"), "--repeats", "3", pairs=pairs(80, 20))
    names = [condition["name"] for condition in run.verdict["conditions"]]
    assert names == [
        "unscored samples",
        "pass rate",
        "pass rate of rec.autos",
        "pass rate of sci.space",
        "accuracy",
        "macro F1",
        "judge's flip rate",
        "judge's sensitivity",
        "judge's specificity",
    ]
    assert run.verdict["outcome"] == "inconclusive"
    assert "not decided: judge's sensitivity, judge's specificity" in run.output
    assert run.report["judge_truth"]["sensitivity"]["pairs"] == 2
    assert run.report["judge_truth"]["specificity"]["samples"] == 20


def test_every_report_measures_the_judge_against_the_labels(evals):
    with JudgeServer(judge=Judge(score=lambda pair: 10)) as server:
        run = evals.run("--judge", spec("endpoint", server.url), pairs=pairs(60, 20))
    truth = run.report["judge_truth"]
    assert (truth["true_pass"], truth["false_pass"], truth["true_fail"]) == (60, 20, 0)
    assert truth["specificity"]["rate"] == 0.0
    assert "judge's specificity: 0.0% of wrong answers fail" in run.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--rate", "corrected"], "--rate corrected needs --calibration FILE"),
        (["--calibration", "x.json"], "--calibration is for --rate corrected"),
        (["--margin", "0.1"], "--margin is for --baseline"),
        (["--max-flip-rate", "0.1"], "--max-flip-rate needs --repeats 3"),
        (["--min-category-pass-rate", "sci.space=2"], "--min-category-pass-rate is 'sci.space=2'"),
        (["--min-category-pass-rate", "much"], "--min-category-pass-rate is 'much'"),
        (["--min-accuracy", "nan"], "--min-accuracy is 'nan'"),
        (["--threshold", "0.5", "--min-judge-specificity", "0.9"], "--threshold above 0.5"),
    ],
)
def test_impossible_policies(evals, options, message):
    run = evals.run(*options, pairs=pairs(2, 2))
    assert run.exit_code == 4
    assert message in run.output
