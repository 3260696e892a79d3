"""How the answer of a rater, or a judge's verdict in a foreign file, is read as pass or fail."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fixtures.contracts.errors import UserError

__all__ = ["Rating", "Scale"]

_PASS, _FAIL = ("pass", "passed", "true", "yes"), ("fail", "failed", "false", "no")
_HIGHEST = 10


class Rating(NamedTuple):
    """One answer: pass or fail, the label it was read from, and the score where there is one."""

    passed: bool
    label: str
    score: float | None = None


@dataclass(frozen=True)
class Scale:
    """Pass or fail in words or digits; or scores from 0 to 10; or the user's own labels."""

    pass_from: float | None = None
    pass_labels: Collection[str] = ()
    fail_labels: Collection[str] = ()
    _known: dict[str, bool] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if bool(self.pass_labels) != bool(self.fail_labels):
            # Taking every other label for a failure would count a misspelt pass as one.
            raise UserError("--pass-labels and --fail-labels belong together: name all labels there are")
        if self.pass_from is not None and self.pass_labels:
            raise UserError("--pass-from is for scores and --pass-labels for labels; keep one of them")
        passing, failing = (set(map(_folded, names)) for names in (self.pass_labels, self.fail_labels))
        if both := passing & failing:
            raise UserError(f"label {min(both)!r} cannot both pass and fail")
        words = dict.fromkeys(_PASS, True) | dict.fromkeys(_FAIL, False)
        digits = {} if passing else {"1": True, "0": False}
        known = words | digits | dict.fromkeys(passing, True) | dict.fromkeys(failing, False)
        object.__setattr__(self, "_known", known)

    @property
    def words(self) -> str:
        """What an answer may be."""
        if self.pass_from is not None:
            return f"a number from 0 to {_HIGHEST}"
        if self.pass_labels:
            return "one of " + ", ".join([*self.pass_labels, *self.fail_labels])
        return "pass or fail, 1 or 0, true or false (other words: --pass-labels, scores: --pass-from)"

    def read(self, value: Any) -> Rating:
        """The rating in a cell. Raises ValueError for everything that is none."""
        if self.pass_from is None:
            return self.read_verdict(value)
        score = _number(value)
        # NaN compares false.
        if not 0 <= score <= _HIGHEST:
            raise ValueError(f"{str(value)[:60]!r} is no rating: it must be {self.words}")
        return Rating(score >= self.pass_from, f"{score:g}", score)

    def read_verdict(self, value: Any) -> Rating:
        """The same for words and labels alone: a judge's verdict is no score even where the ratings are."""
        label = _folded(value)
        if label not in self._known:
            raise ValueError(f"{str(value)[:60]!r} is no rating: it must be {self.words}")
        passes = self._known[label]
        return Rating(passes, label if self.pass_labels else "pass" if passes else "fail")


def _number(value: Any) -> float:
    try:
        return math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _folded(value: Any) -> str:
    # JSON and spreadsheets both like to write 1 as 1.0.
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip().casefold()
