"""PPI++, as published and with Wilson's interval."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.statistics import prediction_powered_mean, prediction_powered_rate, wilson
from tests.evals.statistics import quick

# 50 labels on which the judge agrees, 5 it fails wrongly, 5 it passes wrongly; then 500 verdicts more.
TRUTH = [1] * 40 + [0] * 10 + [1] * 5 + [0] * 5
JUDGED = [1] * 40 + [0] * 10 + [0] * 5 + [1] * 5
OTHERS = [1] * 380 + [0] * 120

VERDICTS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)
REST = st.lists(st.booleans(), max_size=100)


class TestOracles:
    def test_ppi_python_on_verdicts(self):
        """ppi-python 0.2.3: ppi_mean_pointestimate and ppi_mean_ci(alpha=.05)."""
        found = prediction_powered_mean(TRUTH, JUDGED, OTHERS, confidence=0.95)
        assert found.mean == pytest.approx(0.75507444, abs=5e-9)
        assert found.interval == pytest.approx((0.66186454, 0.84828434), abs=5e-9)

    def test_ppi_python_at_another_level(self):
        found = prediction_powered_mean(TRUTH, JUDGED, OTHERS, confidence=0.9)
        assert found.interval == pytest.approx((0.67685022, 0.83329865), abs=5e-9)

    def test_ppi_python_on_scores(self):
        truth = [0.63, 0.9, 0.78, 0.23, 0.3, 0.87, 0.01, 0.82, 0.8, 0.47, 0.3, 0.28]
        judged = [0.65, 0.71, 0.77, 0.37, 0.03, 0.78, 0.0, 0.56, 0.43, 0.42, 0.05, 0.33]
        others = [
            *(0.04, 0.51, 0.47, 0.92, 0.63, 0.51, 0.5, 0.25, 0.01, 0.19, 0.69, 0.2, 0.37, 0.0, 0.83),
            *(0.15, 0.27, 0.88, 0.51, 0.85, 0.64, 0.74, 0.09, 0.54, 0.51, 0.87, 0.36, 0.6, 0.06, 0.39),
        ]
        found = prediction_powered_mean(truth, judged, others, confidence=0.95)
        assert found.mean == pytest.approx(0.54971921, abs=5e-9)
        assert found.interval == pytest.approx((0.43583759, 0.66360083), abs=5e-9)

    def test_the_weight_makes_the_published_interval_shortest(self):
        found = prediction_powered_mean(TRUTH, JUDGED, OTHERS, confidence=0.95)
        truth, judged, others = (np.asarray(values, dtype=float) for values in (TRUTH, JUDGED, OTHERS))

        def variance(weight):
            return (truth - weight * judged).var() / truth.size + weight**2 * others.var() / others.size

        assert all(variance(found.weight) <= variance(found.weight + step) + 1e-5 for step in (-0.1, 0.1))


class TestRate:
    def test_same_mean_and_weight_as_published(self):
        published = prediction_powered_mean(TRUTH, JUDGED, OTHERS, confidence=0.95)
        found = prediction_powered_rate(TRUTH, JUDGED, OTHERS, confidence=0.95)
        assert (found.mean, found.weight) == (published.mean, published.weight)
        assert found.interval.low <= published.interval.low
        assert len(TRUTH) < found.effective < published.effective

    @given(VERDICTS, REST, st.floats(0.5, 0.999))
    @quick
    def test_ordered_within_the_scale_and_worth_labels_to_everything(self, labelled, others, confidence):
        truth, judged = zip(*labelled, strict=True)
        found = prediction_powered_rate(truth, judged, others, confidence=confidence)
        assert 0 <= found.interval.low <= found.mean <= found.interval.high <= 1
        assert found.interval.width > 0
        assert 0 <= found.weight <= 1
        assert len(truth) <= found.effective <= len(truth) + len(others)

    @given(VERDICTS, REST)
    @quick
    def test_exchanging_passes_and_failures_mirrors_it(self, labelled, others):
        truth, judged = (1 - np.array(side, dtype=int) for side in zip(*labelled, strict=True))
        found = prediction_powered_rate(1 - truth, 1 - judged, others, confidence=0.95)
        mirrored = prediction_powered_rate(truth, judged, [not verdict for verdict in others], confidence=0.95)
        assert 1 - mirrored.mean == pytest.approx(found.mean)
        assert (1 - mirrored.interval.high, 1 - mirrored.interval.low) == pytest.approx(found.interval, abs=1e-9)

    @given(st.lists(st.booleans(), min_size=1, max_size=60), REST)
    @quick
    def test_a_judge_that_says_one_thing_only_leaves_the_labels(self, truth, others):
        found = prediction_powered_rate(truth, [1] * len(truth), [1] * len(others), confidence=0.95)
        assert found.weight == 0
        assert found.interval == pytest.approx(wilson(sum(truth), len(truth), confidence=0.95))

    def test_everything_labelled(self):
        found = prediction_powered_rate(TRUTH, JUDGED, [], confidence=0.95)
        assert found.interval == wilson(sum(TRUTH), len(TRUTH), confidence=0.95)

    def test_a_perfect_judge_is_nearly_as_good_as_labels_everywhere(self):
        found = prediction_powered_rate([1, 1, 1, 0] * 50, [1, 1, 1, 0] * 50, [1, 1, 1, 0] * 500, confidence=0.95)
        assert found.mean == pytest.approx(0.75)
        assert found.effective == pytest.approx(2_200, rel=0.01)

    @pytest.mark.parametrize("verdict", [0, 1])
    @pytest.mark.parametrize("labels", [1, 30])
    def test_all_alike(self, verdict, labels):
        found = prediction_powered_rate([verdict] * labels, [verdict] * labels, [0, 1] * 50, confidence=0.95)
        assert found.mean == verdict
        assert found.interval == wilson(verdict * labels, labels, confidence=0.95)


@pytest.mark.parametrize("function", [prediction_powered_mean, prediction_powered_rate])
@pytest.mark.parametrize(
    ("truth", "judged", "others", "message"),
    [
        ([], [], [1], "truth: a list"),
        ([1], [1, 0], [1], "1 truth, 2 judged"),
        ([math.nan], [1], [1], "truth: number 0 of 1 is nan"),
        ([1], [1], [0, 2], "unlabelled: number 1 of 2 is 2.0"),
    ],
)
def test_refusals(function, truth, judged, others, message):
    with pytest.raises(ValueError, match=message):
        function(truth, judged, others, confidence=0.95)
