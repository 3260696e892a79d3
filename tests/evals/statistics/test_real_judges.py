"""Real judges and raters: the numbers of oracles.json, recomputed from the raw data."""

import json
from collections import Counter, defaultdict
from itertools import combinations

import pytest

from evals.statistics import clustered_rate, cohen_kappa, judge_error, wilson


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def oracles(shared_data):
    return json.loads((shared_data / "oracles.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def pandalm(shared_data):
    return lines(shared_data / "judge-calibration" / "pandalm_human_vs_judge.jsonl")


class Judge:
    """Verdicts of one judge on the cases of bc038: three repeats each, with planted truth."""

    def __init__(self, folder, name):
        self.verdicts = defaultdict(list)
        self.truth = {}
        for row in sorted(lines(folder / f"bc038-{name}.jsonl"), key=lambda row: row["repeat"]):
            self.verdicts[row["case_id"]].append(row["verdict_pass"])
            self.truth[row["case_id"]] = row["true_label"] == "correct"

    @property
    def majority(self):
        return [sum(verdicts) >= 2 for verdicts in self.verdicts.values()]

    @property
    def right(self):
        return [self.truth[case] for case in self.verdicts]

    @property
    def flips(self):
        return sum(len(set(verdicts)) > 1 for verdicts in self.verdicts.values())


@pytest.fixture(scope="module")
def judges(shared_data):
    folder = shared_data / "judge-calibration"
    return {"deepeval_geval": Judge(folder, "deepeval"), "naive": Judge(folder, "naive")}


@pytest.mark.parametrize("pair", [*combinations(range(3), 2)])
def test_kappa_of_pandalm_annotators(pandalm, oracles, pair):
    one, other = ([row["annotators"][rater] for row in pandalm] for rater in pair)
    found = cohen_kappa(one, other, confidence=0.95)
    assert round(found.kappa, 3) == oracles["pandalm"]["kappa"]["-".join(str(rater + 1) for rater in pair)]
    assert found.samples == oracles["pandalm"]["n"]
    assert found.interval.low < found.kappa < found.interval.high


def test_majority_of_pandalm_annotators(pandalm, oracles):
    majority = Counter(str(Counter(row["annotators"]).most_common(1)[0][0]) for row in pandalm)
    assert majority == oracles["pandalm"]["labels"]


def test_a_judge_with_unparsable_verdicts_still_has_a_kappa(pandalm):
    """25 verdicts of the LLM judge are no verdict; as a label of their own they only lower the agreement."""
    truth = [Counter(row["annotators"]).most_common(1)[0][0] for row in pandalm]
    judged = [{"1": 1, "2": 2, "Tie": 0}.get(row["gpt35"], "garbage") for row in pandalm]
    found = cohen_kappa(truth, judged, confidence=0.95)
    assert 0.4 < found.interval.low < found.kappa < found.interval.high < 0.7


@pytest.mark.parametrize("name", ["deepeval_geval", "naive"])
def test_false_passes_and_false_fails_of_bc038(judges, oracles, name):
    found = judge_error(judges[name].right, judges[name].majority, confidence=0.95)
    expected = oracles["bc038_deepeval_judge"]["false_pass_false_fail"][name]
    assert [found.confusion.false_pass, found.confusion.false_fail] == expected


def test_agreement_of_the_geval_judge_with_the_truth(judges, oracles):
    expected = oracles["bc038_deepeval_judge"]["deepeval_geval"]
    judge = judges["deepeval_geval"]
    found = judge_error(judge.right, judge.majority, confidence=0.95)
    assert round(found.accuracy.rate, 3) == expected["accuracy"]
    assert round(found.sensitivity.rate, 3) == expected["sensitivity"]
    assert round(found.specificity.rate, 3) == expected["specificity"]
    assert round(cohen_kappa(judge.right, judge.majority, confidence=0.95).kappa, 3) == expected["kappa"]
    assert found.sensitivity.interval == wilson(30, 35, confidence=0.95)


@pytest.mark.parametrize(("name", "key"), [("deepeval_geval", "deepeval"), ("naive", "naive")])
def test_flips(judges, oracles, name, key):
    assert judges[name].flips == oracles["bc038_deepeval_judge"]["flips"][key]
    assert len(judges[name].verdicts) == oracles["bc038_deepeval_judge"]["n_cases"]


def test_repeats_of_the_geval_judge_are_hardly_worth_more_than_its_cases(judges):
    judge = judges["deepeval_geval"]
    verdicts = [verdict for repeats in judge.verdicts.values() for verdict in repeats]
    cases = [case for case, repeats in judge.verdicts.items() for _ in repeats]
    found = clustered_rate(verdicts, cases, confidence=0.95)
    assert (found.samples, found.clusters) == (210, 70)
    assert 70 <= found.effective < 75
