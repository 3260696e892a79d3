"""Macro F1 and its interval."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from evals.statistics import macro_f1, wilson_of_rate
from tests.evals.statistics import quick

TABLE = np.array([[30, 5, 2], [4, 40, 6], [1, 3, 9]])
TABLES = st.integers(1, 5).flatmap(
    lambda size: st.lists(st.lists(st.integers(0, 30), min_size=size, max_size=size), min_size=size, max_size=size)
)


def variance_as_published(table):
    """Takahashi et al. (2022), section 3.2, in their notation."""
    n = table.sum()
    p = table / n
    s = p.sum(axis=0) + p.sum(axis=1)
    f = 2 * np.diagonal(p) / s
    rest = s - 2 * np.diagonal(p)
    single = (f * rest / s**2 * (rest / s + f / 2)).sum()
    crossed = p * (f / s)[:, None] * (f / s)[None, :]
    return 2 * (single + crossed.sum() - np.trace(crossed)) / len(f) ** 2 / n


def test_variance_as_published():
    found = macro_f1(TABLE, confidence=0.95)
    variance = variance_as_published(TABLE)
    effective = found.score * (1 - found.score) / variance
    assert found.interval == pytest.approx(wilson_of_rate(found.score, effective, confidence=0.95))


def test_variance_is_that_of_redrawn_samples():
    """A thousand samples of the same shares: the standard deviation over redrawn tables."""
    shares = TABLE.ravel() / TABLE.sum()
    tables = np.random.default_rng(1).multinomial(1_000, shares, 20_000).reshape(-1, 3, 3)
    hits, involved = np.diagonal(tables, axis1=1, axis2=2), tables.sum(axis=1) + tables.sum(axis=2)
    assert (2 * hits / involved).mean(axis=1).std() == pytest.approx(variance_as_published(10 * TABLE) ** 0.5, rel=0.02)


@given(TABLES)
@quick
def test_scikit_learn_agrees_on_the_score(table):
    counts = np.array(table)
    if counts.sum():
        rows, columns = np.indices(counts.shape)
        truth, predicted = np.repeat(rows.ravel(), counts.ravel()), np.repeat(columns.ravel(), counts.ravel())
        found = macro_f1(table, confidence=0.95)
        assert found.score == pytest.approx(f1_score(truth, predicted, average="macro", zero_division=0))
        assert found.classes + found.absent == len(table)


@given(TABLES)
@quick
def test_holds_the_score_and_knows_neither_order_nor_direction(table):
    counts = np.array(table)
    if counts.sum():
        found = macro_f1(counts, confidence=0.95)
        assert 0 <= found.interval.low <= found.score + 1e-12
        assert found.score - 1e-12 <= found.interval.high <= 1
        assert found.interval.width > 0
        for turned in (counts.T, counts[::-1, ::-1]):
            assert macro_f1(turned, confidence=0.95).interval == pytest.approx(found.interval, abs=1e-9)
        assert macro_f1(counts, confidence=0.8).interval.width < found.interval.width


def test_ten_times_the_samples_are_narrower():
    few, many = (macro_f1(factor * TABLE, confidence=0.95) for factor in (1, 10))
    assert few.score == many.score
    assert many.interval.width == pytest.approx(few.interval.width / 10**0.5, rel=0.05)


@pytest.mark.parametrize("samples", [1, 50])
def test_all_right_and_all_wrong(samples):
    right = macro_f1([[samples, 0], [0, samples]], confidence=0.95)
    assert right.interval == wilson_of_rate(1, 2 * samples, confidence=0.95)
    wrong = macro_f1([[0, samples], [samples, 0]], confidence=0.95)
    assert wrong.interval == wilson_of_rate(0, 2 * samples, confidence=0.95)


def test_absent_classes_are_counted():
    assert macro_f1([[3, 1, 0], [0, 4, 0], [0, 0, 0]], confidence=0.95)[2:] == (2, 1)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([[1, 2]], "must be square, not"),
        ([[0]], "0 samples"),
        ([[-1]], "whole numbers"),
        ([[0.5]], "whole numbers"),
        ([[np.nan]], "whole numbers"),
    ],
)
def test_refusals(table, message):
    with pytest.raises(ValueError, match=message):
        macro_f1(table, confidence=0.95)


class TestAnswersThatNameNoClass:
    """A last column of answers that are no class at all: it costs recall and is no class of the mean."""

    TABLE = ((40, 5, 5), (10, 30, 0), (0, 0, 0))

    def test_the_score_is_scikit_learns_over_the_expected_classes(self):
        truth = [row for row, cells in enumerate(self.TABLE) for count in cells for _ in range(count)]
        said = [column for cells in self.TABLE for column, count in enumerate(cells) for _ in range(count)]
        expected = f1_score(truth, said, labels=[0, 1], average="macro")
        assert macro_f1(self.TABLE, classes=2, confidence=0.95).score == pytest.approx(expected)
        assert macro_f1(self.TABLE, confidence=0.95).score == pytest.approx(expected * 2 / 3)

    def test_the_spread_is_that_of_resampled_tables(self):
        random = np.random.default_rng(0)
        table = np.array(self.TABLE)
        drawn = random.multinomial(table.sum(), table.ravel() / table.sum(), 4000).reshape(-1, 3, 3)
        scores = [macro_f1(sample, classes=2, confidence=0.95).score for sample in drawn]
        low, high = macro_f1(self.TABLE, classes=2, confidence=0.95).interval
        assert high - low == pytest.approx(2 * 1.96 * np.std(scores), rel=0.06)

    def test_no_class_of_the_mean_has_a_sample(self):
        with pytest.raises(ValueError, match="none of the first 1 classes has a sample"):
            macro_f1(((0, 0), (0, 3)), classes=1, confidence=0.95)
