"""The corrected pass rate of Rogan and Gladen with the interval of Lee et al."""

import json
import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from evals.statistics import allocate_labels, rogan_gladen
from tests.evals.statistics import quick

README = {
    "pass_rate": 0.4,
    "samples": 1000,
    "sensitivity": 0.9,
    "passing_labels": 200,
    "specificity": 0.7,
    "failing_labels": 200,
}
COUNTS = st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def test_example_of_lee_et_al():
    """UW-Madison-Lee-Lab/LLM-judge-reporting, README."""
    found = rogan_gladen(**README, confidence=0.95)
    assert found.rate == pytest.approx(0.166667, abs=5e-7)
    assert found.interval == pytest.approx((0.056351, 0.262733), abs=5e-7)


def test_example_as_the_oracle_file_has_it(shared_data):
    oracle = json.loads((shared_data / "oracles.json").read_text(encoding="utf-8"))["rogan_gladen_readme_example"]
    given_ = oracle["inputs"]
    found = rogan_gladen(
        pass_rate=given_["p"],
        samples=given_["n"],
        sensitivity=given_["q1"],
        passing_labels=given_["m1"],
        specificity=given_["q0"],
        failing_labels=given_["m0"],
        confidence=0.95,
    )
    assert round(found.rate, 6) == oracle["theta"]
    assert [round(end, 6) for end in found.interval] == oracle["ci95"]
    allocated = allocate_labels(200, pass_rate=0.4, sensitivity=0.9, specificity=0.7, pilot=10)
    assert list(allocated) == oracle["allocation_m200_pilot10"]


def test_a_perfect_judge_is_corrected_by_nothing():
    found = rogan_gladen(**README | {"sensitivity": 1, "specificity": 1}, confidence=0.95)
    assert found.rate == pytest.approx(0.4)
    assert found.interval.low < 0.4 < found.interval.high


@given(COUNTS, COUNTS, COUNTS)
@quick
def test_properties(judged, passing, failing):
    arguments = {
        "pass_rate": judged[0] / judged[1],
        "samples": judged[1],
        "sensitivity": passing[0] / passing[1],
        "passing_labels": passing[1],
        "specificity": failing[0] / failing[1],
        "failing_labels": failing[1],
    }
    mirrored = arguments | {
        "pass_rate": 1 - arguments["pass_rate"],
        "sensitivity": arguments["specificity"],
        "passing_labels": failing[1],
        "specificity": arguments["sensitivity"],
        "failing_labels": passing[1],
    }
    try:
        found = rogan_gladen(**arguments, confidence=0.9)
    except ValueError:
        with pytest.raises(ValueError, match="a judge with"):
            rogan_gladen(**mirrored, confidence=0.9)
        return
    assert 0 <= found.rate <= 1
    assert 0 <= found.interval.low < found.interval.high <= 1
    # Exchanging pass and fail mirrors it; more confidence is wider.
    turned = rogan_gladen(**mirrored, confidence=0.9)
    assert 1 - turned.rate == pytest.approx(found.rate)
    assert (1 - turned.interval.high, 1 - turned.interval.low) == pytest.approx(found.interval, abs=1e-9)


@given(st.floats(0.3, 0.9), st.integers(10, 1_000))
@quick
def test_more_labels_are_narrower(pass_rate, labels):
    widths = [
        rogan_gladen(
            pass_rate=pass_rate,
            samples=1_000,
            sensitivity=0.9,
            passing_labels=number,
            specificity=0.9,
            failing_labels=number,
            confidence=0.95,
        ).interval.width
        for number in (labels, 4 * labels)
    ]
    # Unless the scale ends before the interval does.
    assume(widths[0] < 0.2)
    assert widths[1] < widths[0]


@pytest.mark.parametrize(("sensitivity", "specificity"), [(0.5, 0.5), (0.8, 0.2), (0.1, 0.3), (0, 1)])
def test_a_judge_no_better_than_chance_is_refused(sensitivity, specificity):
    with pytest.raises(ValueError, match=r"is not shown to be better than chance \(their sum must exceed 1\)"):
        rogan_gladen(**README | {"sensitivity": sensitivity, "specificity": specificity}, confidence=0.95)


def test_a_pass_rate_such_a_judge_cannot_give_is_refused():
    """Clipped to 1 it would have no width, and pass any gate."""
    with pytest.raises(ValueError, match="errs differently here"):
        rogan_gladen(**README | {"pass_rate": 0.99, "sensitivity": 0.7}, confidence=0.95)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"pass_rate": 1.2}, "pass rate must lie between 0 and 1, not 1.2"),
        ({"sensitivity": math.nan}, "sensitivity must lie between 0 and 1, not nan"),
        ({"samples": 0}, "samples is needed, not 0"),
        ({"failing_labels": 0}, "failing labels is needed, not 0"),
        ({"passing_labels": math.nan}, "passing labels is needed, not nan"),
    ],
)
def test_refusals(changed, message):
    with pytest.raises(ValueError, match=message):
        rogan_gladen(**README | changed, confidence=0.95)


class TestAllocation:
    def test_keeps_the_pilots(self):
        assert allocate_labels(20, pass_rate=0.99, sensitivity=0.5, specificity=0.99, pilot=10) == (10, 10)

    @given(st.integers(1, 50), st.integers(0, 400), st.floats(0, 1), st.floats(0.5, 1), st.floats(0.5, 1))
    @quick
    def test_spends_all_labels(self, pilot, more, pass_rate, sensitivity, specificity):
        failing, passing = allocate_labels(
            2 * pilot + more, pass_rate=pass_rate, sensitivity=sensitivity, specificity=specificity, pilot=pilot
        )
        assert failing + passing == 2 * pilot + more
        assert min(failing, passing) >= pilot

    @pytest.mark.parametrize(("labels", "pilot"), [(19, 10), (1, 1), (10, 0)])
    def test_refuses_too_few(self, labels, pilot):
        with pytest.raises(ValueError, match=f"{labels} labels cannot hold a pilot of {pilot}"):
            allocate_labels(labels, pass_rate=0.5, sensitivity=0.9, specificity=0.9, pilot=pilot)
