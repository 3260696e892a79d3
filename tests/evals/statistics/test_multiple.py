"""Holm's correction."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.statistics import holm
from tests.evals.statistics import quick

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def test_worked_by_hand():
    """Four tests: .005 * 4, .01 * 3, .03 * 2, and .04 raised to its neighbour's."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_statsmodels_agrees():
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    p_values = [0.0001, 0.9, 0.013, 0.04, 0.013, 0.2, 1.0, 0.0, 0.049, 0.5]
    assert holm(p_values) == pytest.approx(multitest.multipletests(p_values, method="holm")[1].tolist())


@given(P_VALUES)
@quick
def test_between_no_correction_and_bonferronis(p_values):
    for adjusted, single in zip(holm(p_values), p_values, strict=True):
        assert single <= adjusted <= 1
        assert adjusted <= max(1.0, len(p_values) * single) or adjusted <= 1
    assert min(holm(p_values)) == min(1.0, len(p_values) * min(p_values))


@given(P_VALUES)
@quick
def test_keeps_the_order(p_values):
    adjusted = holm(p_values)
    for i, one in enumerate(p_values):
        for j, other in enumerate(p_values):
            if one < other:
                assert adjusted[i] <= adjusted[j]


def test_one_test_needs_no_correction():
    assert holm([0.04]) == [0.04]


@pytest.mark.parametrize("p_values", [[], [0.1, math.nan], [1.2], [-0.1]])
def test_refusals(p_values):
    with pytest.raises(ValueError, match="p-values"):
        holm(p_values)
