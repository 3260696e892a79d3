"""The documents of a training: what is learned from, chosen on, and measured on.

The validation part is taken from the train split. Nothing that depends on the
test split, its labels included, reaches the training.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fixtures.contracts.errors import UserError
from fixtures.datasets import Document, NewsDataset, has_split, load_dataset
from training.settings import ClassifySettings

__all__ = ["Corpus", "load_corpus", "stratified"]


@dataclass(frozen=True)
class Corpus:
    """Documents by their role. ``test`` is None when there is none or it was not asked for."""

    dataset: NewsDataset
    labels: tuple[str, ...]
    train: list[Document]
    validation: list[Document]
    test: list[Document] | None

    def targets(self, documents: Sequence[Document]) -> list[int]:
        """The label index of each document."""
        index = {label: number for number, label in enumerate(self.labels)}
        return [index[document.label] for document in documents]


def load_corpus(settings: ClassifySettings) -> Corpus:
    """Load and split. Raises UserError for data from which nothing can be learned."""
    name = settings.dataset
    with_test = settings.test_metrics and has_split(name, "test")
    dataset = load_dataset(name, remove=settings.remove, splits=("train", "test") if with_test else ("train",))
    available = dataset.splits["train"]
    labels = tuple(sorted({document.label for document in available}))
    if len(labels) < 2:
        raise UserError(
            f'data set {name}: all documents of the train split have the label "{labels[0]}"; two or more are needed'
        )
    if settings.train_samples is not None:
        if settings.train_samples < 2 * len(labels):
            raise UserError(
                f"--train-samples {settings.train_samples}: {len(labels)} categories need {2 * len(labels)} or more, "
                "one each to learn from and one each to choose on"
            )
        available, _ = stratified(available, min(settings.train_samples, len(available)), settings.seed)
    wanted = max(len(labels), round(settings.validation_share * len(available)))
    validation, train = stratified(available, wanted, settings.seed + 1, keep=1)
    if not validation:
        raise UserError(f"data set {name}: no category has two documents, one to learn from and one to choose on")
    test = dataset.splits["test"] if with_test else None
    if unknown := sorted({document.label for document in test or ()} - set(labels)):
        raise UserError(
            f'data set {name}: the test split has the label "{unknown[0]}", which the train split lacks\n'
            "  mend the data, or use --no-test-metrics"
        )
    return Corpus(dataset, labels, train, validation, test)


def stratified(
    documents: Sequence[Document], count: int, seed: int, *, keep: int = 0
) -> tuple[list[Document], list[Document]]:
    """``count`` documents in proportion to the labels, and the rest; both in the order given.

    Every label is represented if ``count`` allows, and ``keep`` of each label
    stay in the rest; the number drawn may then differ a little from ``count``.
    """
    by_label: dict[str, list[int]] = defaultdict(list)
    for index, document in enumerate(documents):
        by_label[document.label].append(index)
    random = np.random.default_rng(seed)
    drawn: set[int] = set()
    for label, number in _shares({label: len(by_label[label]) for label in sorted(by_label)}, count).items():
        members = by_label[label]
        drawn.update(random.permutation(members)[: max(0, min(number, len(members) - keep))].tolist())
    chosen = [document for index, document in enumerate(documents) if index in drawn]
    rest = [document for index, document in enumerate(documents) if index not in drawn]
    return chosen, rest


def _shares(sizes: dict[str, int], count: int) -> dict[str, int]:
    """``count`` divided in proportion to ``sizes``: one for each, the rest by largest remainder."""
    total = sum(sizes.values())
    exact = {label: count * size / total for label, size in sizes.items()}
    shares = {label: max(1, int(value)) for label, value in exact.items()}
    by_remainder = sorted(sizes, key=lambda label: (shares[label] - exact[label], label))
    for label in by_remainder[: max(0, count - sum(shares.values()))]:
        shares[label] += 1
    return shares
