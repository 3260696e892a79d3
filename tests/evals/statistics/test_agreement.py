"""Agreement of raters, against scikit-learn, statsmodels and SciPy."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau, spearmanr
from sklearn.metrics import cohen_kappa_score

from evals.statistics import cohen_kappa, rank_correlation, wilson
from tests.evals.statistics import quick

RATINGS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=60)
SCORES = st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10), st.integers(0, 4)), min_size=1, max_size=60)


def raters(ratings):
    return [one for one, _ in ratings], [other for _, other in ratings]


class TestKappa:
    def test_example_of_fleiss_cohen_and_everitt_1969(self):
        """Two psychiatrists, 200 patients: kappa .429 with variance .002885."""
        cells = np.array([[106, 10, 4], [22, 28, 10], [2, 12, 6]])
        first = np.repeat([0, 0, 0, 1, 1, 1, 2, 2, 2], cells.ravel()).tolist()
        second = np.repeat([0, 1, 2] * 3, cells.ravel()).tolist()
        found = cohen_kappa(first, second, confidence=0.95)
        assert found.kappa == pytest.approx(0.429, abs=5e-4)
        assert found.standard_error**2 == pytest.approx(0.002885, abs=5e-7)

    @given(RATINGS)
    @quick
    def test_scikit_learn_agrees(self, ratings):
        first, second = raters(ratings)
        found = cohen_kappa(first, second, confidence=0.95)
        if found.kappa is not None:
            assert found.kappa == pytest.approx(cohen_kappa_score(first, second))

    @given(RATINGS)
    @quick
    def test_statsmodels_agrees_on_the_standard_error(self, ratings):
        inter_rater = pytest.importorskip("statsmodels.stats.inter_rater")
        first, second = raters(ratings)
        found = cohen_kappa(first, second, confidence=0.95)
        if found.kappa is not None:
            table = np.zeros((3, 3))
            np.add.at(table, (["abc".index(a) for a in first], ["abc".index(b) for b in second]), 1)
            with np.errstate(all="ignore"):
                expected = inter_rater.cohens_kappa(table).std_kappa
            # Its variance may round below zero.
            assert found.standard_error == pytest.approx(0 if np.isnan(expected) else expected, abs=1e-7)

    @given(RATINGS)
    @quick
    def test_interval_holds_kappa_and_is_the_same_for_either_order(self, ratings):
        first, second = raters(ratings)
        found, turned = (cohen_kappa(*pair, confidence=0.95) for pair in ((first, second), (second, first)))
        if found.kappa is not None:
            assert -1 <= found.interval.low <= found.kappa <= found.interval.high <= 1
            assert found.interval.low < found.interval.high
            assert turned.interval == pytest.approx(found.interval)

    @given(RATINGS)
    @quick
    def test_more_confidence_is_wider(self, ratings):
        narrow, wide = (cohen_kappa(*raters(ratings), confidence=level) for level in (0.8, 0.99))
        if narrow.interval is not None:
            assert wide.interval.low <= narrow.interval.low
            assert narrow.interval.high <= wide.interval.high

    @given(RATINGS)
    @quick
    def test_names_of_labels_do_not_matter(self, ratings):
        first, second = raters(ratings)
        renamed = [[ord(label) * 10 for label in labels] for labels in (first, second)]
        assert cohen_kappa(*renamed, confidence=0.95) == cohen_kappa(first, second, confidence=0.95)

    def test_full_agreement_is_no_certainty(self):
        found = cohen_kappa([0, 1] * 10, [0, 1] * 10, confidence=0.95)
        assert found.kappa == 1
        assert found.standard_error == pytest.approx(0)
        # Chance agrees on half: twice the distance of Wilson's end from 1.
        assert found.interval == pytest.approx((1 - 2 * (1 - wilson(20, 20, confidence=0.95).low), 1))

    def test_raters_who_disagree_completely(self):
        found = cohen_kappa([0, 1] * 10, [1, 0] * 10, confidence=0.95)
        assert found.kappa == -1
        assert found.interval.low == -1

    @pytest.mark.parametrize("samples", [1, 5])
    def test_one_label_throughout_is_undefined(self, samples):
        found = cohen_kappa(["pass"] * samples, ["pass"] * samples, confidence=0.95)
        assert (found.kappa, found.interval, found.standard_error) == (None, None, None)
        assert found.observed == found.by_chance == 1

    def test_one_sample_of_disagreement(self):
        assert cohen_kappa(["pass"], ["fail"], confidence=0.95).kappa == 0

    @pytest.mark.parametrize(
        ("first", "second", "message"),
        [([], [], "0 samples"), ([1], [1, 2], "1 first, 2 second"), ([1.0, math.nan], [1, 1], "label 1 of 2 is nan")],
    )
    def test_refusals(self, first, second, message):
        with pytest.raises(ValueError, match=message):
            cohen_kappa(first, second, confidence=0.95)


class TestRanks:
    @pytest.mark.parametrize(("kind", "correlate"), [("spearman", spearmanr), ("kendall", kendalltau)])
    @given(SCORES)
    @quick
    def test_pooled_and_grouped_are_scipys(self, kind, correlate, scores):
        first, second, groups = zip(*scores, strict=True)
        found = rank_correlation(first, second, kind=kind, groups=groups)

        def expected(rows):
            one, other = [first[row] for row in rows], [second[row] for row in rows]
            return correlate(one, other).statistic if len(set(one)) > 1 and len(set(other)) > 1 else None

        each = [expected([row for row, name in enumerate(groups) if name == group]) for group in set(groups)]
        usable = [value for value in each if value is not None]
        assert found.pooled == pytest.approx(expected(range(len(scores))))
        assert found.grouped == pytest.approx(np.mean(usable) if usable else None)
        assert (found.groups, found.skipped) == (len(each), len(each) - len(usable))

    @given(SCORES, st.sampled_from(["spearman", "kendall"]))
    @quick
    def test_ranks_only(self, scores, kind):
        first, second, groups = zip(*scores, strict=True)
        stretched = [math.exp(score) for score in first]
        one = rank_correlation(first, second, kind=kind, groups=groups)
        assert rank_correlation(stretched, second, kind=kind, groups=groups) == pytest.approx(one)
        mirrored = rank_correlation([-score for score in first], second, kind=kind)
        assert mirrored.pooled == pytest.approx(None if one.pooled is None else -one.pooled)

    def test_a_judge_that_only_knows_the_hard_prompts(self):
        """Pooled it looks good, within each prompt it is no use."""
        first, second = [1, 2, 1, 2, 8, 9, 8, 9], [1, 2, 2, 1, 8, 9, 9, 8]
        found = rank_correlation(first, second, kind="spearman", groups=[1, 1, 1, 1, 2, 2, 2, 2])
        assert found.pooled > 0.7
        assert found.grouped == pytest.approx(0)

    @pytest.mark.parametrize("scores", [[3], [5, 5, 5]])
    def test_nothing_varies(self, scores):
        found = rank_correlation(scores, scores, kind="kendall", groups=[0] * len(scores))
        assert found == (None, None, 1, 1)

    @pytest.mark.parametrize(
        ("first", "second", "message"),
        [
            ([], [], "first: a list"),
            ([1, 2], [1], "2 first, 1 second"),
            ([1, 2], [1, math.nan], "number 1 of 2 is nan"),
        ],
    )
    def test_refusals(self, first, second, message):
        with pytest.raises(ValueError, match=message):
            rank_correlation(first, second, kind="spearman")

    def test_groups_of_another_length(self):
        with pytest.raises(ValueError, match="2 scores, 1 groups"):
            rank_correlation([1, 2], [1, 2], kind="spearman", groups=[1])
