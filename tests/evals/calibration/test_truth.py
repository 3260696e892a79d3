"""What raters make true, and when they make nothing true."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.calibration.ratings import Label
from evals.calibration.scale import Scale
from evals.calibration.truth import of_labels, of_report
from evals.statistics import cohen_kappa
from fixtures.contracts.errors import UserError
from tests.evals.calibration import judged, quick


def truth(votes, *, scale=None, part=None):
    """From {sample: ratings of anna, ben, cleo ...}; None: not rated."""
    scale = scale or Scale()
    labels = [
        Label(sample, rater, scale.read(vote), part)
        for sample, row in votes.items()
        for rater, vote in zip(("anna", "ben", "cleo", "dan"), row, strict=False)
        if vote is not None
    ]
    return of_labels(labels, name="ratings.csv", pass_from=scale.pass_from, confidence=0.95)


def test_the_majority_decides():
    found = truth({"a": (1, 1, 0), "b": (0, 0, 1), "c": (1, None, None)})
    assert {sample: label.passed for sample, label in found.labels.items()} == {"a": True, "b": False, "c": True}
    assert (found.rule, found.raters, found.ties) == ("majority", ["anna", "ben", "cleo"], [])


def test_ties_are_no_truth():
    found = truth({"a": (1, 0), "b": (1, 1), "c": (0, 1)})
    assert list(found.labels) == ["b"]
    assert found.ties == ["a", "c"]


def test_scores_are_averaged():
    found = truth({"a": (10, 7), "b": (8, 6), "c": (8,)}, scale=Scale(8))
    assert [(label.passed, label.score) for label in found.labels.values()] == [(True, 8.5), (False, 7.0), (True, 8.0)]
    assert (found.rule, found.ties) == ("mean", [])
    assert found.agreement[0].spearman == pytest.approx(1.0)


def test_agreement_is_measured_on_what_both_rated():
    found = truth({"a": (1, 1, 1), "b": (0, 0, None), "c": (1, 0, None), "d": (None, 1, 1)})
    by_pair = {(row.first, row.second): row for row in found.agreement}
    assert [row.samples for row in by_pair.values()] == [3, 1, 2]
    expected = cohen_kappa([1, 0, 1], [1, 0, 0], confidence=0.95)
    assert by_pair["anna", "ben"].kappa.kappa == expected.kappa
    assert (by_pair["anna", "ben"].kappa.low, by_pair["anna", "ben"].kappa.high) == expected.interval
    # One sample, and one answer throughout: nothing can be said of chance.
    assert by_pair["anna", "cleo"].kappa.kappa is None


def test_raters_without_a_sample_in_common():
    (row,) = truth({"a": (1, None), "b": (None, 0)}).agreement
    assert (row.samples, row.kappa) == (0, None)


def test_kappa_of_labels_is_of_the_labels_themselves():
    votes = {"a": ("win", "win"), "b": ("loss", "tie"), "c": ("tie", "loss"), "d": ("win", "win")}
    found = truth(votes, scale=Scale(pass_labels=["win"], fail_labels=["loss", "tie"]))
    assert found.agreement[0].kappa.observed == 0.5
    assert found.ties == []


def test_labels_for_disagreements_do_not_count_as_agreement():
    (row,) = truth({"a": (1, 1), "b": (0, 0)}, part="focus").agreement
    assert row.samples == 0


@pytest.mark.parametrize("scale", [None, Scale(8)])
def test_raters_who_disagree_completely(scale):
    ten, zero = (1, 0) if scale is None else (10, 0)
    with pytest.raises(UserError) as caught:
        truth({"a": (ten, zero), "b": (zero, ten), "c": (ten, zero)}, scale=scale)
    assert str(caught.value) == (
        "ratings.csv: raters anna, ben are evenly split on each of the 3 samples that they rated: "
        "there is no truth to hold the judge to"
    )


def test_raters_who_hardly_agree_are_told_so():
    found = truth({"a": (1, 0, 1), "b": (0, 1, 0), "c": (1, 0, 0), "d": (0, 1, 1)})
    assert found.notes == [
        "raters hardly agree (anna and ben: kappa -1.00): no judge can be held to a truth that people do not share; "
        "say more clearly what a pass is, and have it rated again"
    ]
    assert truth({"a": (1, 1), "b": (0, 0)}).notes == []


def test_no_rating_at_all():
    with pytest.raises(UserError, match="holds no rating"):
        truth({})


def test_exact_match_is_the_truth_of_a_report():
    found = of_report(judged((2, 1, 1, 1)))
    assert [label.passed for label in found.labels.values()] == [True, True, True, False, False]
    assert found.notes == []


@pytest.mark.parametrize("threshold", [0.5, 0.3])
def test_exact_match_is_no_truth_at_a_low_threshold(threshold):
    (note,) = of_report(judged((2, 1, 1, 1), threshold=threshold)).notes
    assert "a related category passes" in note
    assert "not how often it errs" in note


VOTES = st.dictionaries(
    st.text(max_size=3), st.lists(st.sampled_from([0, 1, None]), min_size=1, max_size=4), max_size=8
)


@given(VOTES)
@quick
def test_every_sample_is_true_or_a_tie(votes):
    rated = {sample for sample, row in votes.items() if set(row) != {None}}
    try:
        found = truth(votes)
    except UserError:
        return
    assert set(found.labels) | set(found.ties) == rated
    assert not set(found.labels) & set(found.ties)
    for sample, label in found.labels.items():
        assert label.passed == (votes[sample].count(1) > votes[sample].count(0))
