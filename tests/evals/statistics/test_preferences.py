"""Wins, losses and ties, and what exchanging places did: held to statsmodels, SciPy and enumeration."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from evals.statistics import order_effect, preference
from evals.statistics.paired import score_distance

rows = st.integers(0, 300)
counts = st.tuples(rows, rows, rows).filter(any)


@given(counts)
@settings(deadline=None, max_examples=60)
def test_decided_rows_agree_with_statsmodels(counts):
    wins, losses, ties = counts
    found = preference(wins, losses, ties, confidence=0.95)
    if wins + losses == 0:
        assert (found.decided, found.decided_interval) == (None, None)
        return
    expected = proportion_confint(wins, wins + losses, alpha=0.05, method="wilson")
    assert found.decided_interval == pytest.approx(expected, abs=1e-9)
    assert found.p_exact == pytest.approx(binomtest(wins, wins + losses, 0.5).pvalue, abs=1e-9)
    assert found.p_exact == pytest.approx(mcnemar([[0, wins], [losses, ties]], exact=True).pvalue, abs=1e-9)
    # The mid-p value takes half of what is as likely as what was seen off the exact one.
    assert found.p_value <= found.p_exact + 1e-12


@given(counts)
@settings(deadline=None, max_examples=60)
def test_the_interval_of_the_net_preference_is_where_the_score_test_rejects(counts):
    wins, losses, ties = counts
    n = sum(counts)
    found = preference(wins, losses, ties, confidence=0.95)
    assert found.net == pytest.approx((wins - losses) / n)
    for end, sign in ((found.net_interval.low, 1), (found.net_interval.high, -1)):
        # At an end of the scale there is nothing beyond to reject.
        if abs(end) < 1 - 1e-9:
            mirrored = score_distance(losses, wins, n, -end) if sign > 0 else score_distance(wins, losses, n, end)
            assert abs(float(mirrored)) == pytest.approx(1.959964, abs=1e-3)


@given(counts)
@settings(deadline=None, max_examples=60)
def test_exchanging_the_systems_mirrors_everything(counts):
    wins, losses, ties = counts
    one = preference(wins, losses, ties, confidence=0.9)
    other = preference(losses, wins, ties, confidence=0.9)
    assert one.net == -other.net
    assert one.net_interval.low == pytest.approx(-other.net_interval.high)
    assert one.half == pytest.approx(1 - other.half)
    assert one.half_interval.low == pytest.approx(1 - other.half_interval.high)
    assert (one.p_value, one.p_exact) == (other.p_value, other.p_exact)


def test_a_tie_is_half_a_win():
    found = preference(30, 10, 60, confidence=0.95)
    assert (found.net, found.half, found.decided) == (0.2, 0.6, 0.75)
    assert found.half_interval.low == pytest.approx((1 + found.net_interval.low) / 2)


@given(st.tuples(rows, rows, rows, rows).filter(any))
@settings(deadline=None, max_examples=60)
def test_order_effect_agrees_with_statsmodels(counts):
    first, second, wavering, consistent = counts
    n = sum(counts)
    found = order_effect(first, second, wavering, consistent, confidence=0.95)
    assert found.bias_interval == pytest.approx(proportion_confint(first + second, n, method="wilson"), abs=1e-9)
    assert found.consistency_interval == pytest.approx(proportion_confint(consistent, n, method="wilson"), abs=1e-9)
    assert (found.bias, found.consistency) == ((first + second) / n, consistent / n)
    if first == second:
        assert found.p_value > 0.5


def test_one_place_preferred_is_told_from_guessing():
    assert order_effect(20, 20, 0, 60, confidence=0.95).p_value > 0.9
    assert order_effect(35, 5, 0, 60, confidence=0.95).p_value < 1e-5


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: preference(0, 0, 0, confidence=0.95), "of 0 samples"),
        (lambda: preference(-1, 2, 3, confidence=0.95), "-1 wins"),
        (lambda: preference(3, 2, -1, confidence=0.95), "-1 ties"),
        (lambda: preference(1, 1, 1, confidence=1.0), "confidence"),
        (lambda: order_effect(0, 0, 0, 0, confidence=0.95), "of 0 samples"),
        (lambda: order_effect(1, 1, -1, 1, confidence=0.95), "-1 wavering"),
    ],
)
def test_what_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
