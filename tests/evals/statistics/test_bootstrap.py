"""Bootstrap intervals: SciPy's, seeded, of rows or clusters."""

import numpy as np
import pytest
from scipy.stats import bootstrap, norm

from evals.statistics import bootstrap_interval, rank_correlation, wilson

VALUES = np.random.default_rng(0).normal(3, 2, 120)


def mean(rows):
    return float(VALUES[rows].mean())


@pytest.mark.parametrize("method", ["percentile", "BCa"])
def test_scipy_on_the_values_themselves(method):
    """Drawing row numbers draws the values."""
    expected = bootstrap(
        (VALUES,),
        np.mean,
        n_resamples=500,
        vectorized=False,
        method=method,
        random_state=np.random.default_rng(7),
    ).confidence_interval
    found = bootstrap_interval(mean, 120, seed=7, confidence=0.95, resamples=500, method=method)
    assert found == pytest.approx((expected.low, expected.high))


def test_about_the_textbook_interval_for_a_mean():
    margin = norm.ppf(0.975) * VALUES.std(ddof=1) / np.sqrt(120)
    found = bootstrap_interval(mean, 120, seed=1, confidence=0.95)
    assert found == pytest.approx((VALUES.mean() - margin, VALUES.mean() + margin), abs=0.06)


def test_a_seed_repeats_it_and_another_does_not():
    one, same, other = (bootstrap_interval(mean, 120, seed=seed, confidence=0.95, resamples=200) for seed in (1, 1, 2))
    assert one == same != other


def test_more_confidence_is_wider():
    narrow, wide = (bootstrap_interval(mean, 120, seed=1, confidence=level) for level in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_clusters_are_drawn_whole():
    """Repeats that always agree say no more than one each, as Wilson over clusters has it."""
    verdicts = np.repeat(np.arange(100) < 80, 5)
    clusters = np.repeat(np.arange(100), 5).tolist()

    def rate(rows):
        return float(verdicts[rows].mean())

    pooled = bootstrap_interval(rate, 500, seed=1, confidence=0.95)
    clustered = bootstrap_interval(rate, 500, seed=1, confidence=0.95, clusters=clusters)
    assert clustered.width == pytest.approx(wilson(80, 100, confidence=0.95).width, rel=0.1)
    assert pooled.width < 0.6 * clustered.width


def test_a_correlation():
    first = np.arange(40)
    second = first + np.random.default_rng(3).normal(0, 8, 40)

    def rho(rows):
        found = rank_correlation(first[rows], second[rows], kind="spearman").pooled
        return np.nan if found is None else found

    low, high = bootstrap_interval(rho, 40, seed=1, confidence=0.95, resamples=300)
    assert low < rho(np.arange(40)) < high < 1


@pytest.mark.parametrize("method", ["percentile", "BCa"])
def test_draws_without_a_value_do_not_count(method):
    """Two samples: half of the draws take one of them twice, and have no spread."""

    def spread(rows):
        return float(np.ptp(rows)) or np.nan

    assert bootstrap_interval(spread, 2, seed=1, confidence=0.95, method=method) == (1, 1)


@pytest.mark.parametrize("samples", [1, 5])
def test_undefined_throughout(samples):
    assert bootstrap_interval(lambda rows: np.nan, samples, seed=1, confidence=0.95) is None


def test_one_sample():
    assert bootstrap_interval(mean, 1, seed=1, confidence=0.95) == (VALUES[0], VALUES[0])


@pytest.mark.parametrize(
    ("samples", "changed", "message"),
    [
        (0, {}, "from 0 samples"),
        (5, {"resamples": 99}, "cannot draw 99 times"),
        (5, {"confidence": 1}, "confidence must lie"),
        (5, {"clusters": [1, 2]}, "5 samples, 2 clusters"),
    ],
)
def test_refusals(samples, changed, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_interval(mean, samples, **{"seed": 1, "confidence": 0.95} | changed)
