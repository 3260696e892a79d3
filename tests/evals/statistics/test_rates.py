"""A pass rate's interval against tables, SciPy, statsmodels, and what any interval must do."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, norm

from evals.statistics import (
    clopper_pearson,
    score_test,
    wilson,
    wilson_lower,
    wilson_of_rate,
    wilson_upper,
)
from tests.evals.statistics import quick

COUNTS = st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
LEVELS = st.floats(0.5, 0.9999)
INTERVALS = pytest.mark.parametrize("interval", [wilson, clopper_pearson])


class TestOracles:
    @pytest.mark.parametrize(
        ("passed", "total", "low", "high"),
        [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
    )
    def test_wilson_in_newcombe_1998_table_i(self, passed, total, low, high):
        assert wilson(passed, total, confidence=0.95) == pytest.approx((low, high), abs=5e-5)

    @pytest.mark.parametrize(
        ("passed", "total", "low", "high"),
        [(81, 263, 0.2527, 0.3676), (15, 148, 0.0578, 0.1617), (0, 20, 0.0, 0.1684), (1, 29, 0.0009, 0.1776)],
    )
    def test_clopper_pearson_in_newcombe_1998_table_i(self, passed, total, low, high):
        assert clopper_pearson(passed, total, confidence=0.95) == pytest.approx((low, high), abs=5e-5)

    @given(COUNTS, LEVELS)
    @quick
    def test_wilson_is_scipys(self, counts, confidence):
        passed, total = counts
        expected = binomtest(passed, total).proportion_ci(confidence_level=confidence, method="wilson")
        assert wilson(passed, total, confidence=confidence) == pytest.approx((expected.low, expected.high), abs=1e-12)

    @pytest.mark.parametrize(("method", "interval"), [("wilson", wilson), ("beta", clopper_pearson)])
    @pytest.mark.parametrize(("passed", "total"), [(0, 7), (83, 100), (7, 7), (6_000, 7_532)])
    def test_both_are_statsmodels(self, method, interval, passed, total):
        proportion = pytest.importorskip("statsmodels.stats.proportion")
        expected = proportion.proportion_confint(passed, total, alpha=0.1, method=method)
        assert interval(passed, total, confidence=0.9) == pytest.approx(expected, abs=1e-9)

    @given(COUNTS)
    @quick
    def test_clopper_pearson_ends_have_equal_exact_tails(self, counts):
        passed, total = counts
        low, high = clopper_pearson(passed, total, confidence=0.95)
        if passed > 0:
            assert binom.sf(passed - 1, total, low) == pytest.approx(0.025, rel=1e-6)
        if passed < total:
            assert binom.cdf(passed, total, high) == pytest.approx(0.025, rel=1e-6)

    def test_gate_of_the_design_document(self):
        """At n = 100 against .80: 87 or more pass, 73 or fewer fail."""
        assert wilson_lower(87, 100, confidence=0.95) >= 0.8 > wilson_lower(86, 100, confidence=0.95)
        assert wilson_upper(73, 100, confidence=0.95) < 0.8 <= wilson_upper(74, 100, confidence=0.95)

    def test_score_test_is_statsmodels_with_the_variance_of_the_hypothesis(self):
        proportion = pytest.importorskip("statsmodels.stats.proportion")
        _, less = proportion.proportions_ztest(74, 100, 0.8, alternative="smaller", prop_var=0.8)
        assert score_test(74, 100, 0.8, alternative="less") == pytest.approx(less)


class TestProperties:
    @INTERVALS
    @given(COUNTS, LEVELS)
    @quick
    def test_holds_the_rate_between_ordered_ends_in_the_unit_interval(self, interval, counts, confidence):
        passed, total = counts
        low, high = interval(passed, total, confidence=confidence)
        assert 0 <= low <= passed / total <= high <= 1
        assert low < high

    @INTERVALS
    @given(COUNTS, LEVELS)
    @quick
    def test_exchanging_passes_and_failures_mirrors_it(self, interval, counts, confidence):
        passed, total = counts
        low, high = interval(passed, total, confidence=confidence)
        mirrored = interval(total - passed, total, confidence=confidence)
        assert (1 - mirrored.high, 1 - mirrored.low) == pytest.approx((low, high), abs=1e-9)

    @INTERVALS
    @given(COUNTS, LEVELS)
    @quick
    def test_one_more_pass_raises_both_ends(self, interval, counts, confidence):
        passed, total = counts
        if passed < total:
            before, after = (interval(count, total, confidence=confidence) for count in (passed, passed + 1))
            assert before.low < after.low
            assert before.high < after.high

    @INTERVALS
    @given(COUNTS, LEVELS, LEVELS)
    @quick
    def test_more_confidence_is_wider(self, interval, counts, one, other):
        less, more = (interval(*counts, confidence=level) for level in sorted((one, other)))
        assert more.low <= less.low + 1e-12
        assert less.high <= more.high + 1e-12

    @given(COUNTS, st.integers(2, 50))
    @quick
    def test_more_samples_at_the_same_rate_are_narrower(self, counts, factor):
        passed, total = counts
        few = wilson(passed, total, confidence=0.95)
        assert wilson(passed * factor, total * factor, confidence=0.95).width < few.width

    @given(COUNTS, st.floats(0.501, 0.9999))
    @quick
    def test_one_sided_bounds_are_ends_of_the_two_sided_interval(self, counts, confidence):
        interval = wilson(*counts, confidence=2 * confidence - 1)
        assert wilson_lower(*counts, confidence=confidence) == interval.low
        assert wilson_upper(*counts, confidence=confidence) == interval.high

    @given(COUNTS, st.floats(0.01, 0.99), st.floats(0.51, 0.999))
    @quick
    def test_the_test_rejects_exactly_what_the_bounds_exclude(self, counts, rate, confidence):
        low, high = (bound(*counts, confidence=confidence) for bound in (wilson_lower, wilson_upper))
        if min(abs(low - rate), abs(high - rate)) > 1e-9:
            assert (score_test(*counts, rate, alternative="greater") < 1 - confidence) == (low > rate)
            assert (score_test(*counts, rate, alternative="less") < 1 - confidence) == (high < rate)

    @given(st.floats(0, 1), st.floats(0.5, 10_000), LEVELS)
    @quick
    def test_ends_for_an_effective_size_solve_the_score_equation(self, rate, size, confidence):
        z = norm.ppf((1 + confidence) / 2)
        for end in wilson_of_rate(rate, size, confidence=confidence):
            if 1e-9 < end < 1 - 1e-9:
                assert (rate - end) ** 2 == pytest.approx(z**2 * end * (1 - end) / size, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("total", [1, 2, 10, 10_000])
@INTERVALS
def test_all_pass_and_all_fail(interval, total):
    assert interval(total, total, confidence=0.95).high == 1
    assert 0 < interval(total, total, confidence=0.95).low < 1
    assert interval(0, total, confidence=0.95).low == 0


class TestRefusals:
    @pytest.mark.parametrize("function", [wilson, clopper_pearson, wilson_lower, wilson_upper])
    @pytest.mark.parametrize(("passed", "total"), [(0, 0), (1, 0), (2, 1), (-1, 5), (math.nan, 5), (1, math.nan)])
    def test_impossible_counts(self, function, passed, total):
        with pytest.raises(ValueError, match=f"cannot form a rate from {passed} of {total} samples"):
            function(passed, total, confidence=0.95)

    @pytest.mark.parametrize("function", [wilson, clopper_pearson, wilson_lower, wilson_upper])
    @pytest.mark.parametrize("confidence", [0, 1, -0.5, 95, math.nan])
    def test_impossible_confidence(self, function, confidence):
        with pytest.raises(ValueError, match=f"confidence must lie between .* not {confidence}"):
            function(1, 2, confidence=confidence)

    @pytest.mark.parametrize("function", [wilson_lower, wilson_upper])
    def test_a_one_sided_bound_beyond_the_rate_itself(self, function):
        with pytest.raises(ValueError, match=r"one-sided confidence .* not 0.5"):
            function(1, 2, confidence=0.5)

    @pytest.mark.parametrize(("rate", "size"), [(1.1, 5), (math.nan, 5), (0.5, 0), (0.5, math.nan)])
    def test_rates_that_are_none(self, rate, size):
        with pytest.raises(ValueError, match=r"a rate must"):
            wilson_of_rate(rate, size, confidence=0.95)

    @pytest.mark.parametrize("rate", [0, 1, math.nan])
    def test_testing_a_certainty(self, rate):
        with pytest.raises(ValueError, match=f"not {rate}"):
            score_test(1, 2, rate, alternative="less")
