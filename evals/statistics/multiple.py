"""Many tests at once: which of them may be called failed?"""

from __future__ import annotations

from numpy.typing import ArrayLike

from evals.statistics import _checks as check

__all__ = ["holm"]


def holm(p_values: ArrayLike) -> list[float]:
    """Holm's adjusted p-values, in the order given.

    The i-th smallest of m becomes ``max over j <= i of (m - j + 1) p_j``, at most
    1; naming all below 5 % names a blameless one with at most 5 % probability,
    whatever the dependence. S. Holm (1979), "A simple sequentially rejective
    multiple test procedure", Scand. J. Statist. 6.

    Raises ValueError for no p-values, or one outside 0..1 or NaN. For naming
    what failed only: a conjunction of conditions needs each at its full level
    to pass, and no correction (Berger 1982, "Multiparameter hypothesis testing
    and acceptance sampling", Technometrics 24).
    """
    numbers = check.shares(p_values, "p-values").tolist()
    adjusted = [0.0] * len(numbers)
    highest = 0.0
    for rank, position in enumerate(sorted(range(len(numbers)), key=numbers.__getitem__)):
        highest = max(highest, min(1.0, (len(numbers) - rank) * numbers[position]))
        adjusted[position] = highest
    return adjusted
