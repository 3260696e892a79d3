"""Which documents, or rows, are evaluated: a seeded draw in proportion to the categories."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np

__all__ = ["draw"]


class Labelled(Protocol):
    """What has a category to be drawn in proportion to."""

    @property
    def label(self) -> str:
        """The category."""
        ...


Sample = TypeVar("Sample", bound=Labelled)


def draw(documents: Sequence[Sample], count: int | None, *, seed: int) -> list[Sample]:
    """``count`` documents, stratified by label, in the order of ``documents``.

    Each label gets its proportional share by the largest-remainder method;
    equal remainders go to the labels that come first in the alphabet. None, or
    more than there are, means all.
    """
    if count is None or count >= len(documents):
        return list(documents)
    members: dict[str, list[int]] = defaultdict(list)
    for index, document in enumerate(documents):
        members[document.label].append(index)
    labels = sorted(members)
    exact = {label: count * len(members[label]) / len(documents) for label in labels}
    quota = {label: math.floor(exact[label]) for label in labels}
    by_remainder = sorted(labels, key=lambda label: (quota[label] - exact[label], label))
    for label in by_remainder[: count - sum(quota.values())]:
        quota[label] += 1
    generator = np.random.default_rng(seed)
    chosen: list[int] = []
    for label in labels:
        chosen += generator.permutation(members[label])[: quota[label]].tolist()
    return [documents[index] for index in sorted(chosen)]
