"""Splits: in proportion, by seed, and never from the test split."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from fixtures.datasets import Document
from tests.training.conftest import documents, write_dataset
from training.documents import load_corpus, stratified
from training.settings import ClassifySettings


def make(labels):
    return [Document(str(number), "text", label, "") for number, label in enumerate(labels)]


@given(st.lists(st.sampled_from("abcd"), min_size=8, max_size=200), st.integers(1, 200), st.integers(0, 3))
def test_shares_are_in_proportion(labels, count, seed):
    count = min(count, len(labels))
    chosen, rest = stratified(make(labels), count, seed)

    assert sorted([*chosen, *rest], key=lambda one: int(one.id)) == make(labels)
    sizes, drawn = Counter(labels), Counter(one.label for one in chosen)
    for label, size in sizes.items():
        exact = count * size / len(labels)
        # One of each in any case; else at most one off the exact share.
        assert drawn[label] == 1 or abs(drawn[label] - exact) <= 1
    if count >= 4 * len(sizes):
        assert abs(len(chosen) - count) <= len(sizes)
    assert stratified(make(labels), count, seed)[0] == chosen


def test_one_document_of_a_label_stays_to_learn_from():
    chosen, rest = stratified(make("aabb"), 4, 0, keep=1)

    assert Counter(one.label for one in rest) == {"a": 1, "b": 1}
    assert Counter(one.label for one in chosen) == {"a": 1, "b": 1}


def test_roles_do_not_overlap_and_limits_hold(tmp_path):
    data = write_dataset(tmp_path, documents(60, 1), documents(30, 2))
    corpus = load_corpus(ClassifySettings(dataset=str(data), train_samples=30, validation_share=0.2))

    assert len(corpus.train) + len(corpus.validation) == 30
    assert len(corpus.validation) == 6
    assert Counter(one.label for one in corpus.validation) == {"money": 2, "space": 2, "sport": 2}
    ids = [one.id for part in (corpus.train, corpus.validation, corpus.test) for one in part]
    assert len(set(ids)) == len(ids)


def test_a_data_set_without_test_split(tmp_path):
    data = write_dataset(tmp_path, documents(60, 1), documents(30, 2))
    (data / "test.jsonl").unlink()

    assert load_corpus(ClassifySettings(dataset=str(data))).test is None
