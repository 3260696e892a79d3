"""Two models on the same samples: published tables, and a score test worked by brute force."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from evals.statistics import (
    count_pairs,
    mcnemar_exact,
    mcnemar_midp,
    noninferiority,
    paired_difference,
)
from evals.statistics.paired import score_distance
from tests.evals.statistics import quick

TABLES = st.integers(1, 400).flatmap(
    lambda n: st.integers(0, n).flatmap(lambda d: st.tuples(st.integers(0, d), st.just(d), st.just(n)))
)


def brute_force_distance(gained, lost, samples, difference):
    """The score statistic with the nuisance probability found by maximising the likelihood."""
    same = samples - gained - lost

    def surprise(p_lost):
        cells = [(gained, p_lost + difference), (lost, p_lost), (same, 1 - 2 * p_lost - difference)]
        return -sum(count * math.log(max(p, 1e-300)) for count, p in cells if count)

    low, high = max(0, -difference), (1 - difference) / 2
    best = minimize_scalar(surprise, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    variance = samples * (2 * best + difference - difference**2)
    return (gained - lost - samples * difference) / math.sqrt(variance)


class TestOracles:
    @pytest.mark.parametrize(
        ("gained", "lost", "samples", "confidence", "low", "high"),
        [
            # Tango (1998), section 6.2; Fagerland, Lydersen and Laake (2014), airway hyper-responsiveness;
            # and PropCIs::scoreci.mp(25, 28, 618, .9) in R.
            (9, 3, 32, 0.95, -0.027, 0.390),
            (1, 7, 21, 0.95, -0.517, -0.026),
            (28, 25, 618, 0.90, -0.0148, 0.0247),
        ],
    )
    def test_tango_as_published(self, gained, lost, samples, confidence, low, high):
        digits = 5e-5 if confidence == 0.9 else 5e-4
        interval = paired_difference(gained, lost, samples, confidence=confidence)
        assert interval == pytest.approx((low, high), abs=digits)

    def test_tango_1998_contact_lenses(self):
        """Section 6.1: none gained, one lost of 44; Z = 1.709 at a margin of .1, 90 % interval from -.096."""
        assert float(score_distance(0, 1, 44, -0.1)) == pytest.approx(1.709, abs=5e-4)
        assert paired_difference(0, 1, 44, confidence=0.9).low == pytest.approx(-0.096, abs=5e-4)
        tested = noninferiority(0, 1, 44, margin=0.1, confidence=0.95)
        assert tested.holds
        assert tested.p_value == pytest.approx(norm.sf(1.709), abs=1e-4)

    @pytest.mark.parametrize(
        ("gained", "lost", "exact", "midp"), [(1, 7, 0.0703, 0.0391), (6, 16, 0.0525, 0.0347), (0, 0, 1, 1)]
    )
    def test_mcnemar_as_published(self, gained, lost, exact, midp):
        """Fagerland, Lydersen and Laake (2013), both examples."""
        assert mcnemar_exact(gained, lost) == pytest.approx(exact, abs=5e-5)
        assert mcnemar_midp(gained, lost) == pytest.approx(midp, abs=5e-5)

    @given(st.integers(0, 300), st.integers(0, 300))
    @quick
    def test_mcnemar_exact_is_statsmodels(self, gained, lost):
        tables = pytest.importorskip("statsmodels.stats.contingency_tables")
        expected = tables.mcnemar([[5, gained], [lost, 5]], exact=True).pvalue if gained + lost else 1
        assert mcnemar_exact(gained, lost) == pytest.approx(expected, rel=1e-9)

    @given(TABLES, st.floats(-0.9, 0.9))
    @quick
    def test_score_is_that_of_the_likeliest_nuisance(self, table, difference):
        gained, differing, samples = table
        lost = differing - gained
        expected = brute_force_distance(gained, lost, samples, difference)
        assert float(score_distance(gained, lost, samples, difference)) == pytest.approx(expected, rel=1e-3, abs=1e-3)

    @given(st.integers(0, 200), st.integers(0, 200))
    @quick
    def test_without_a_difference_the_score_is_mcnemars(self, gained, lost):
        expected = (gained - lost) / math.sqrt(gained + lost) if gained + lost else 0
        assert float(score_distance(gained, lost, 400, 0.0)) == pytest.approx(expected)


class TestProperties:
    @given(TABLES, st.floats(0.5, 0.999))
    @quick
    def test_ends_lie_z_errors_away(self, table, confidence):
        gained, differing, samples = table
        lost = differing - gained
        z = norm.ppf((1 + confidence) / 2)
        low, high = paired_difference(gained, lost, samples, confidence=confidence)
        assert -1 <= low <= (gained - lost) / samples <= high <= 1
        if high < 1 - 1e-9:
            assert float(score_distance(gained, lost, samples, high)) == pytest.approx(-z, rel=1e-5)
        if low > -1 + 1e-9:
            assert float(score_distance(gained, lost, samples, low)) == pytest.approx(z, rel=1e-5)

    @given(TABLES)
    @quick
    def test_exchanging_the_models_mirrors_it(self, table):
        gained, differing, samples = table
        one = paired_difference(gained, differing - gained, samples, confidence=0.95)
        other = paired_difference(differing - gained, gained, samples, confidence=0.95)
        assert (-other.high, -other.low) == pytest.approx(one)
        assert mcnemar_midp(gained, differing - gained) == mcnemar_midp(differing - gained, gained)

    @given(TABLES)
    @quick
    def test_gaining_what_was_lost_raises_both_ends(self, table):
        gained, differing, samples = table
        if gained < differing:
            before = paired_difference(gained, differing - gained, samples, confidence=0.95)
            after = paired_difference(gained + 1, differing - gained - 1, samples, confidence=0.95)
            assert before.low <= after.low
            assert before.high <= after.high

    @given(TABLES)
    @quick
    def test_more_confidence_is_wider(self, table):
        gained, differing, samples = table
        narrow, wide = (paired_difference(gained, differing - gained, samples, confidence=c) for c in (0.8, 0.99))
        assert wide.low <= narrow.low <= narrow.high <= wide.high

    @given(TABLES, st.floats(0, 0.5), st.floats(0.55, 0.99))
    @quick
    def test_noninferiority_interval_and_p_value_agree(self, table, margin, confidence):
        gained, differing, samples = table
        tested = noninferiority(gained, differing - gained, samples, margin=margin, confidence=confidence)
        if abs(tested.lower + margin) > 1e-7:
            assert tested.holds == (tested.lower > -margin) == (tested.p_value < 1 - confidence)

    @given(TABLES, st.floats(0, 0.4))
    @quick
    def test_a_wider_margin_is_easier(self, table, margin):
        gained, differing, samples = table
        strict, easy = (
            noninferiority(gained, differing - gained, samples, margin=m, confidence=0.95)
            for m in (margin, margin + 0.1)
        )
        assert easy.p_value <= strict.p_value + 1e-12

    @given(st.integers(0, 400), st.integers(0, 400))
    @quick
    def test_midp_lies_below_exact_and_both_are_probabilities(self, gained, lost):
        assert 0 <= mcnemar_midp(gained, lost) <= mcnemar_exact(gained, lost) <= 1

    @given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=50))
    @quick
    def test_counting(self, verdicts):
        pairs = count_pairs([before for before, _ in verdicts], [after for _, after in verdicts])
        assert pairs.gained == verdicts.count((False, True))
        assert pairs.lost == verdicts.count((True, False))
        assert pairs.difference == pytest.approx(np.mean([after - before for before, after in verdicts]))


@pytest.mark.parametrize("samples", [1, 2, 50, 7_532])
def test_edges(samples):
    z = norm.ppf(0.975)
    end = z**2 / (samples + z**2)
    assert paired_difference(0, 0, samples, confidence=0.95) == pytest.approx((-end, end))
    assert paired_difference(samples, 0, samples, confidence=0.95).high == 1
    assert paired_difference(0, samples, samples, confidence=0.95).low == -1
    assert -1 < paired_difference(0, samples, samples, confidence=0.95).high < 0.6
    assert noninferiority(0, 0, samples, margin=0, confidence=0.95).p_value == 0.5


class TestRefusals:
    @pytest.mark.parametrize(("gained", "lost", "samples"), [(0, 0, 0), (2, 2, 3), (-1, 0, 3), (math.nan, 0, 3)])
    def test_impossible_tables(self, gained, lost, samples):
        with pytest.raises(ValueError, match=f"{gained} gained"):
            paired_difference(gained, lost, samples, confidence=0.95)
        with pytest.raises(ValueError, match=f"{gained} gained"):
            noninferiority(gained, lost, samples, margin=0.02, confidence=0.95)

    @pytest.mark.parametrize("margin", [-0.01, 1, 2, math.nan])
    def test_impossible_margins(self, margin):
        with pytest.raises(ValueError, match=f"margin must lie between 0 and 1, not {margin}"):
            noninferiority(1, 1, 10, margin=margin, confidence=0.95)

    def test_nothing_in_common(self):
        with pytest.raises(ValueError, match="at least one number"):
            count_pairs([], [])

    def test_lists_that_do_not_pair(self):
        with pytest.raises(ValueError, match="2 baseline, 1 new"):
            count_pairs([1, 0], [1])

    @pytest.mark.parametrize("test", [mcnemar_exact, mcnemar_midp])
    def test_negative_numbers(self, test):
        with pytest.raises(ValueError, match="-1 gained, 3 lost"):
            test(-1, 3)
