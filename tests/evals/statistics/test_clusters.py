"""Rates over repeats and copies: worth between one sample a cluster and all of them."""

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.statistics import clustered_rate, wilson, wilson_of_rate
from tests.evals.statistics import quick

# (passed, size) of each cluster.
GROUPS = st.lists(
    st.integers(1, 8).flatmap(lambda size: st.tuples(st.integers(0, size), st.just(size))), min_size=1, max_size=30
)


def rate_of(groups, confidence=0.95):
    values = [1] * 0
    clusters = []
    for name, (passed, size) in enumerate(groups):
        values += [1] * passed + [0] * (size - passed)
        clusters += [name] * size
    return clustered_rate(values, clusters, confidence=confidence)


class TestOracles:
    def test_effective_size_with_a_known_correlation(self):
        """Two clusters of 4: 3 of 4 and 1 of 4 pass; worked by hand.

        Between: 2 * 4 * .25^2 / 1 = .5; within: 2 * 4 * 3/16 / 6 = .25; so
        r = (.5 - .25) / (.5 + 3 * .25) = .2, drawn to (2 * .2 + 1) / 3 = .4667:
        8 / (1 + 3 * .4667) = 3.333. By the spread: 2 * 1^2 / 64 = 1/32, .25 * 32 = 8.
        """
        found = rate_of([(3, 4), (1, 4)])
        assert found.effective == pytest.approx(10 / 3)
        assert found.interval == wilson_of_rate(0.5, found.effective, confidence=0.95)
        assert (found.samples, found.clusters) == (8, 2)

    def test_the_spread_is_the_cluster_robust_variance_of_statsmodels(self):
        """Where the spread decides, the interval's variance is a regression's with clustered errors."""
        regression = pytest.importorskip("statsmodels.regression.linear_model")
        groups = [(30, 30), *[(1, 1)] * 30, *[(0, 1)] * 30]
        found = rate_of(groups)
        values = np.concatenate([np.arange(size) < passed for passed, size in groups]).astype(float)
        names = np.repeat(np.arange(len(groups)), [size for _, size in groups])
        fit = regression.OLS(values, np.ones_like(values)).fit(
            cov_type="cluster", cov_kwds={"groups": names, "use_correction": False}
        )
        variance = found.rate * (1 - found.rate) / found.effective
        assert variance >= fit.cov_params()[0, 0] * (1 - 1e-9)


class TestProperties:
    @given(GROUPS)
    @quick
    def test_worth_no_more_than_samples_and_no_less_than_one(self, groups):
        found = rate_of(groups)
        assert 1 - 1e-9 <= found.effective <= found.samples
        assert 0 <= found.interval.low <= found.rate <= found.interval.high <= 1

    @given(st.lists(st.booleans(), min_size=1, max_size=200))
    @quick
    def test_samples_of_their_own_are_wilson(self, values):
        found = clustered_rate(values, range(len(values)), confidence=0.95)
        assert found.interval == wilson(sum(values), len(values), confidence=0.95)

    @given(st.lists(st.booleans(), min_size=1, max_size=50), st.integers(2, 6))
    @quick
    def test_repeats_that_always_agree_add_nothing(self, values, repeats):
        found = clustered_rate(values * repeats, [*range(len(values))] * repeats, confidence=0.95)
        assert found.interval == pytest.approx(wilson(sum(values), len(values), confidence=0.95), abs=1e-9)

    @given(GROUPS)
    @quick
    def test_exchanging_passes_and_failures_mirrors_it(self, groups):
        found, mirrored = rate_of(groups), rate_of([(size - passed, size) for passed, size in groups])
        assert mirrored.effective == pytest.approx(found.effective)
        assert (1 - mirrored.interval.high, 1 - mirrored.interval.low) == pytest.approx(found.interval, abs=1e-9)

    @given(GROUPS, st.randoms(use_true_random=False))
    @quick
    def test_neither_order_nor_names_matter(self, groups, shuffler: random.Random):
        shuffled = list(groups)
        shuffler.shuffle(shuffled)
        assert rate_of(shuffled).interval == pytest.approx(rate_of(groups).interval, abs=1e-9)

    @given(GROUPS)
    @quick
    def test_more_confidence_is_wider(self, groups):
        assert rate_of(groups, 0.99).interval.width > rate_of(groups, 0.9).interval.width

    def test_pairs_name_clusters(self):
        by_pair = clustered_rate([1, 1, 0], [("a", "a"), ("a", "a"), ("a", "b")], confidence=0.95)
        assert by_pair.clusters == 2


@pytest.mark.parametrize("value", [0, 1])
@pytest.mark.parametrize(("clusters", "size"), [(1, 1), (1, 9), (7, 3)])
def test_all_alike_is_worth_its_clusters(value, clusters, size):
    found = clustered_rate([value] * clusters * size, [*range(clusters)] * size, confidence=0.95)
    assert found.effective == pytest.approx(clusters)
    assert found.rate == value


def test_scores_that_never_vary_are_not_certain():
    found = clustered_rate([0.7] * 12, [0, 1, 2] * 4, confidence=0.95)
    assert found.effective == pytest.approx(3)


@pytest.mark.parametrize(
    ("values", "clusters", "message"),
    [
        ([], [], "at least one number"),
        ([1, 0], [1], "lists of different lengths: 2 values, 1 clusters"),
        ([0, math.nan], [1, 2], "number 1 of 2 is nan"),
        ([0, 1.5], [1, 2], "number 1 of 2 is 1.5"),
        ([None, 1], [1, 2], "number 0 of 2 is nan"),
        ([[1]], [1], "shape"),
    ],
)
def test_refusals(values, clusters, message):
    with pytest.raises(ValueError, match=message):
        clustered_rate(values, clusters, confidence=0.95)
