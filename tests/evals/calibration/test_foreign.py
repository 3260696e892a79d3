"""Judges of other systems: real ones, with the numbers of oracles.json, and every way to be wrong."""

import json

import pytest

from evals.calibration.foreign import read_judgements
from evals.calibration.measure import calibrate
from evals.calibration.scale import Scale
from evals.calibration.truth import of_labels
from fixtures.contracts.errors import UserError
from tests.evals.calibration import write_jsonl

ROLES = ("id", "verdict", "score", "truth", "repeat", "reason", "group")


def read(path, scale=None, threshold=None, **named):
    fields = dict.fromkeys(ROLES) | named
    return read_judgements(path, fields, scale or Scale(), threshold=threshold, confidence=0.95)


def calibrated(path, scale=None, threshold=None, **named):
    data, labels = read(path, scale, threshold, **named)
    truth = of_labels(labels, name="truth", pass_from=None, confidence=0.95)
    return calibrate(data, truth, drawn=None, confidence=0.95)


@pytest.fixture(scope="module")
def oracles(shared_data):
    return json.loads((shared_data / "oracles.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def bc038(shared_data):
    scale = Scale(pass_labels=["correct"], fail_labels=["wrong"])
    named = {"id": "case_id", "verdict": "verdict_pass", "truth": "true_label", "reason": "raw.reason"}
    folder = shared_data / "judge-calibration"
    return {
        "deepeval_geval": calibrated(folder / "bc038-deepeval.jsonl", scale, 0.5, score="raw_score", **named),
        "naive": calibrated(folder / "bc038-naive.jsonl", scale, **named | {"reason": "raw"}),
    }


@pytest.mark.parametrize("name", ["deepeval_geval", "naive"])
def test_false_passes_and_false_fails(bc038, oracles, name):
    counts = bc038[name].confusion
    assert [counts.false_pass, counts.false_fail] == oracles["bc038_deepeval_judge"]["false_pass_false_fail"][name]
    assert bc038[name].disagreements == counts.false_pass + counts.false_fail


def test_a_real_geval_judge(bc038, oracles):
    expected = oracles["bc038_deepeval_judge"]["deepeval_geval"]
    found = bc038["deepeval_geval"]
    assert round(found.kappa.kappa, 3) == expected["kappa"]
    assert round(found.accuracy.rate, 3) == expected["accuracy"]
    assert round(found.sensitivity.rate, 3) == expected["sensitivity"]
    assert round(found.specificity.rate, 3) == expected["specificity"]
    assert found.source.samples == oracles["bc038_deepeval_judge"]["n_cases"]
    assert found.flips.flipped == expected["cases_flipped"]
    # Every case has a truth: half of them are right by construction.
    assert found.truth.random is None
    assert (found.pass_rate.recommended, found.pass_rate.estimates[0].rate) == ("labels only", 0.5)


def test_flips_of_another_judge(bc038, oracles):
    assert bc038["naive"].flips.flipped == oracles["bc038_deepeval_judge"]["flips"]["naive"]
    assert bc038["naive"].flips.asked_again == 70
    assert bc038["naive"].flips.mean_spread is None


def test_the_surest_errors_come_first_with_their_reasons(bc038):
    worst = bc038["deepeval_geval"].worst
    assert len(worst) == 10
    assert (worst[0].kind, worst[0].id) == ("false pass", "arith-02-wrong")
    assert worst[0].reason.startswith("The response fully addresses")
    distances = [abs(row.score - 0.5) for row in worst]
    assert distances == sorted(distances, reverse=True)


def test_scores_follow_the_truth(bc038):
    spearman, kendall = bc038["deepeval_geval"].correlations
    assert 0.6 < spearman.pooled < 0.7
    assert 0.5 < kendall.pooled < 0.6
    assert not spearman.graded
    assert bc038["naive"].correlations == []


@pytest.fixture(scope="module")
def pandalm(shared_data):
    path = shared_data / "judge-calibration" / "pandalm_human_vs_judge.jsonl"
    scale = Scale(pass_labels=["1"], fail_labels=["2", "0", "Tie"])
    return calibrated(path, scale, id="idx", verdict="gpt35", truth="annotators", reason="gpt35_reason")


def test_raters_of_pandalm(pandalm, oracles):
    found = {f"{row.first[-1]}-{row.second[-1]}": round(row.kappa.kappa, 3) for row in pandalm.truth.agreement}
    assert found == oracles["pandalm"]["kappa"]


def test_majority_of_pandalm(pandalm, oracles):
    assert pandalm.pass_rate.estimates[0].rate == oracles["pandalm"]["labels"]["1"] / oracles["pandalm"]["n"]


def test_verdicts_that_cannot_be_read_are_none(pandalm):
    assert (pandalm.source.samples, pandalm.source.unscored, pandalm.truth.measured) == (999, 25, 974)
    assert "25 of 999 verdicts are none that can be read: 'garbage'" in pandalm.notes


ROW = {"id": "a", "verdict": "pass", "score": 0.9, "truth": "pass"}


def rows(*changes):
    return [ROW | change for change in changes]


def test_a_score_and_a_threshold_make_a_verdict(tmp_path):
    given = [{"id": n, "score": score} for n, score in enumerate([0.5, 0.49, None])]
    data, labels = read(write_jsonl(tmp_path / "j.jsonl", given), threshold=0.5)
    assert [sample.passed for sample in data.samples] == [True, False, None]
    assert labels == []


def test_repeats_are_put_to_the_vote(tmp_path):
    votes = {"a": "ppf", "b": "fpf", "c": "pf", "d": "pp-", "e": "ppp"}
    given = [
        {
            "id": name,
            "verdict": {"p": 1, "f": 0, "-": None}[vote],
            "repeat": number,
            "score": number / 4,
            "reason": vote,
        }
        for name, said in votes.items()
        for number, vote in enumerate(said)
    ]
    data, _ = read(write_jsonl(tmp_path / "j.jsonl", given))
    assert [sample.passed for sample in data.samples] == [True, False, None, None, True]
    assert [sample.reason for sample in data.samples] == ["p", "f", "", "-", "p"]
    assert [sample.score for sample in data.samples] == [0.25, 0.25, 0.125, 0.25, 0.25]
    assert (data.flips.flipped, data.flips.asked_again, data.flips.mean_spread) == (3, 5, pytest.approx(0.45))
    assert data.notes == ["on 1 samples the judge's repeats are evenly split; they count as without a verdict"]


def test_csv_will_do(tmp_path):
    path = tmp_path / "j.csv"
    path.write_text("case;pass;human\n1;yes;1\n2;no;\n", encoding="utf-8")
    data, labels = read(path, id="case", verdict="pass", truth="human")
    assert [(sample.id, sample.passed) for sample in data.samples] == [("1", True), ("2", False)]
    assert [(label.id, label.rater, label.rating.passed) for label in labels] == [("1", "human", True)]


def problems(path, **given):
    with pytest.raises(UserError) as caught:
        read(path, **given)
    return str(caught.value)


def test_all_faulty_lines_are_told_at_once(tmp_path):
    path = write_jsonl(
        tmp_path / "j.jsonl",
        rows(
            {},
            {},
            {"id": "b", "score": "high"},
            {"id": None},
            {"id": "c", "truth": "perhaps"},
            {"id": "d", "score": "nan"},
            {"id": "e", "score": True},
        ),
    )
    path.write_text(path.read_text() + '{"id": "f", "verdict": "pass", "score": 1e999}\n')
    told = problems(path).splitlines()
    assert "7 lines are faulty" in told[0]
    assert "sample 'a' was judged already, as in line 1; if these are repeats, say what numbers them" in told[1]
    assert "score is 'high', which is no number" in told[2]
    assert 'there is no id in field "id"' in told[3]
    assert "'perhaps' is no rating" in told[4]
    assert "score is 'nan', which is no number" in told[5]
    assert "score is 'True', which is no number" in told[6]
    assert "score is 'inf', which is no number" in told[7]


def test_one_truth_per_sample(tmp_path):
    path = write_jsonl(
        tmp_path / "j.jsonl", rows({"repeat": 1}, {"repeat": 2, "truth": "fail"}, {"repeat": 3, "truth": None})
    )
    assert "line 2: sample 'a' has another truth than before, 'fail'" in problems(path)


@pytest.mark.parametrize(
    ("named", "problem"),
    [
        ({"verdict": "said"}, 'has no field "said" (--verdict-field); its fields are id, score'),
        ({"id": "case"}, 'has no field "case" (--id-field)'),
        ({"reason": "id.reason"}, 'has no field "id.reason"'),
        ({}, "name the verdict by --verdict-field, or the score by --score-field and --threshold"),
    ],
)
def test_fields_that_are_not_there(tmp_path, named, problem):
    assert problem in problems(write_jsonl(tmp_path / "j.jsonl", [{"id": "a", "score": 1}]), **named)
