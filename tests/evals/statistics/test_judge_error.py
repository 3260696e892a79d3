"""A judge against the truth, by samples and by the pairs they share."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, recall_score

from evals.statistics import judge_error, wilson
from tests.evals.statistics import quick

VERDICTS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=80)


@given(VERDICTS)
@quick
def test_scikit_learn_agrees(verdicts):
    truth, judged = zip(*verdicts, strict=True)
    found = judge_error(truth, judged, confidence=0.95)
    true_fail, false_pass, false_fail, true_pass = confusion_matrix(truth, judged, labels=[False, True]).ravel()
    assert found.confusion == (true_pass, false_fail, false_pass, true_fail)
    assert found.accuracy.rate == pytest.approx(accuracy_score(truth, judged))
    if any(truth):
        assert found.sensitivity.rate == pytest.approx(recall_score(truth, judged))
        assert found.sensitivity.interval == wilson(true_pass, sum(truth), confidence=0.95)
    if not all(truth):
        assert found.specificity.rate == pytest.approx(recall_score(truth, judged, pos_label=False))


@given(VERDICTS)
@quick
def test_exchanging_pass_and_fail_exchanges_the_rates(verdicts):
    truth, judged = np.array(verdicts).T
    found, mirrored = judge_error(truth, judged, confidence=0.95), judge_error(~truth, ~judged, confidence=0.95)
    assert (mirrored.sensitivity, mirrored.specificity) == (found.specificity, found.sensitivity)
    assert mirrored.accuracy == found.accuracy


@given(VERDICTS, st.integers(2, 5))
@quick
def test_samples_that_share_a_verdict_are_worth_their_pairs(verdicts, copies):
    truth, judged = zip(*verdicts, strict=True)
    alone = judge_error(truth, judged, confidence=0.95)
    shared = judge_error(truth * copies, judged * copies, pairs=[*range(len(truth))] * copies, confidence=0.95)
    for one, other in zip(alone[1:], shared[1:], strict=True):
        if one is not None:
            assert other.interval == pytest.approx(one.interval, abs=1e-9)
            assert (other.samples, other.clusters) == (one.samples * copies, one.samples)


@pytest.mark.parametrize("verdict", [0, 1])
@pytest.mark.parametrize("samples", [1, 40])
def test_one_kind_of_truth_leaves_the_other_rate_unknown(verdict, samples):
    found = judge_error([1] * samples, [verdict] * samples, confidence=0.95)
    assert found.specificity is None
    assert found.sensitivity.rate == verdict
    assert found.sensitivity.interval.width > 0


@pytest.mark.parametrize(
    ("truth", "judged", "pairs", "message"),
    [
        ([], [], None, "truth: a list"),
        ([1, 0], [1], None, "2 truth, 1 judged"),
        ([1, 0], [1, 0], ["a"], "1 pairs"),
        ([1, math.nan], [1, 0], None, "truth: number 1 of 2 is nan"),
        ([1, 0], [1, 0.5], None, r"judged: number 1 of 2 is 0.5, neither pass nor fail"),
    ],
)
def test_refusals(truth, judged, pairs, message):
    with pytest.raises(ValueError, match=message):
        judge_error(truth, judged, pairs=pairs, confidence=0.95)
