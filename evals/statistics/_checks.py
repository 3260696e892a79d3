"""What every function here refuses: numbers that no statistic can be made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Floats",
    "confidence_level",
    "counts",
    "one_sided_level",
    "same_length",
    "scores",
    "share",
    "shares",
    "verdicts",
]

Floats = NDArray[np.float64]


def confidence_level(confidence: float) -> None:
    """Refuse a level of confidence outside (0, 1)."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}")


def one_sided_level(confidence: float) -> None:
    """Refuse a one-sided level at which the bound would lie beyond the estimate itself."""
    if not 0.5 < confidence < 1:
        raise ValueError(f"one-sided confidence must lie between 0.5 and 1, not {confidence}")


def counts(part: int, total: int) -> None:
    """Refuse ``part`` of ``total`` unless ``0 <= part <= total`` and ``total >= 1``."""
    if not (total >= 1 and 0 <= part <= total):
        raise ValueError(f"cannot form a rate from {part} of {total} samples")


def share(value: float, what: str) -> None:
    """Refuse a number outside [0, 1], NaN included."""
    if not 0 <= value <= 1:
        raise ValueError(f"{what} must lie between 0 and 1, not {value}")


def shares(values: ArrayLike, what: str, *, empty: bool = False) -> Floats:
    """``values`` as numbers in [0, 1]; refuses others, NaN, and an empty list unless ``empty``."""
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1 or (numbers.size == 0 and not empty):
        raise ValueError(f"{what}: a list with at least one number is needed, not shape {numbers.shape}")
    # NaN compares false, so it is caught here too.
    _all((numbers >= 0) & (numbers <= 1), numbers, f"{what}: %s, not within 0 to 1")
    return numbers


def verdicts(values: ArrayLike, what: str, *, empty: bool = False) -> Floats:
    """``values`` as zeros and ones; refuses everything else."""
    numbers = shares(values, what, empty=empty)
    _all((numbers == 0) | (numbers == 1), numbers, f"{what}: %s, neither pass nor fail")
    return numbers


def scores(values: ArrayLike, what: str) -> Floats:
    """``values`` as finite numbers of any size; refuses others and an empty list."""
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1 or numbers.size == 0:
        raise ValueError(f"{what}: a list with at least one number is needed, not shape {numbers.shape}")
    _all(np.isfinite(numbers), numbers, f"{what}: %s")
    return numbers


def same_length(**lists: Sequence[Any] | Floats) -> None:
    """Refuse lists that should describe the same samples and differ in length."""
    lengths = {name: len(values) for name, values in lists.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError("lists of different lengths: " + ", ".join(f"{n} {name}" for name, n in lengths.items()))


def _all(good: NDArray[np.bool_], numbers: Floats, message: str) -> None:
    if not good.all():
        first = int(np.argmin(good))
        raise ValueError(message % f"number {first} of {numbers.size} is {numbers[first]}")
