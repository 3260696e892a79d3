"""The draw: seeded, in proportion, in the data set's order."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from evals.samples import draw
from fixtures.datasets import Document

SIZES = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 40), min_size=1)


def documents(sizes):
    return [Document(f"{label}-{number}", "t", label, "d") for label, size in sizes.items() for number in range(size)]


@given(SIZES, st.integers(1, 300), st.integers(0, 5))
def test_each_category_gets_its_share(sizes, count, seed):
    everything = documents(sizes)
    drawn = draw(everything, count, seed=seed)
    assert len(drawn) == min(count, len(everything))
    assert [document for document in everything if document in set(drawn)] == drawn
    for label, size in sizes.items():
        share = len(drawn) * size / len(everything)
        assert abs(Counter(document.label for document in drawn)[label] - share) < 1


@given(SIZES, st.integers(1, 50))
def test_seeds(sizes, count):
    everything = documents(sizes)
    assert draw(everything, count, seed=1) == draw(everything, count, seed=1)
    assert draw(everything, None, seed=1) == everything


def test_another_seed_draws_others():
    everything = documents({"a": 1000})
    assert draw(everything, 10, seed=1) != draw(everything, 10, seed=2)
