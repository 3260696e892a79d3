"""Underfitting, overfitting, healthy, or cannot tell.

The cases are those of every textbook: both losses stay high; the training loss
falls while the validation loss rises or shares too little of the fall; both
fall and settle. One is named only when it is clear, that is when the figures'
intervals lie wholly on its side; else the answer is *cannot tell*, and what
hides it. docs/curves.md states the rule, its sources and how often it errs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from training.diagnosis.curves import Curves
from training.diagnosis.evidence import Evidence, Missing, Part, gather
from training.diagnosis.words import number, spread

__all__ = ["Kind", "Verdict", "judge"]

MATERIAL = 0.05
"""Share of a loss by which it must have changed for anybody to care."""

SETTLED = 1 / 3
"""Share of its whole fall by which a settled loss may still change in the last half of its points."""

SHARED = 1 / 2
"""Share of the training loss's fall that the validation loss must take part in."""

LEARNT = 0.1
"""A loss at which nothing is left to learn: nine of ten of the model's odds lie on the right token."""


class Kind(StrEnum):
    """What is said of a training."""

    UNDERFITTING = "underfitting"
    OVERFITTING = "overfitting"
    HEALTHY = "healthy"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A case, the reason that decided, what to do next, and what was measured, if enough was."""

    kind: Kind
    reason: str
    next_step: str
    evidence: Evidence | None = None


def judge(curves: Curves) -> Verdict:
    """The verdict on one training."""
    if curves.diverged_at is not None:
        reason = f"the training loss is no finite number from step {curves.diverged_at} on: the training diverged"
        return Verdict(Kind.CANNOT_TELL, reason, "lower the learning rate, or train in a higher precision")
    found = gather(curves)
    if isinstance(found, Missing):
        return Verdict(Kind.CANNOT_TELL, found.reason, found.remedy)
    kind, reason, next_step = (
        _rising(found) or _by_heart(found) or _not_learnt(found) or _healthy(found) or _unclear(found)
    )
    return Verdict(kind, reason, next_step, found)


_Finding = tuple[Kind, str, str]


def _rising(e: Evidence) -> _Finding | None:
    """The validation loss clearly rises in its last half or quarter."""
    parts = (("half", e.validation.late), ("quarter", e.validation.end))
    rises = [(name, part) for name, part in parts if part.low > 0 and part.value > _material(e.validation.level)]
    if not rises:
        return None
    name, part = rises[0]
    rise = f"the validation loss rises over the last {name} of its points, by {spread(part)}"
    if e.train.late.low > 0 and e.train.late.value > _material(e.train.level):
        return Kind.CANNOT_TELL, f"{rise}, but so does the training loss: unstable", "lower the learning rate"
    if e.train.whole.high >= 0:
        remedy = "check that both files hold the same task in the same form"
        return Kind.CANNOT_TELL, f"{rise}, but the training loss did not clearly fall", remedy
    if e.gap.low <= 0:
        remedy = "evaluate on more validation data; meanwhile, " + _take(e)
        return Kind.CANNOT_TELL, f"{rise}, but does not clearly lie above the training loss", remedy
    return Kind.OVERFITTING, f"{rise}, while the training loss fell by {number(e.train.fall.value)}", _less(e)


def _by_heart(e: Evidence) -> _Finding | None:
    """The training loss fell, the validation loss took little part in it and no longer falls."""
    train, validation = e.train.fall, e.validation.fall
    if not (
        train.low > _material(e.train.start)
        and validation.high < SHARED * train.low
        and e.gap.low > SHARED * train.value
        and e.validation.late.high > -_material(e.validation.level)
    ):
        return None
    reason = (
        f"the training loss fell by {spread(train)}, the validation loss by {spread(validation)} only, and now lies "
        f"{spread(e.gap)} above it: the examples are learnt by heart"
    )
    return Kind.OVERFITTING, reason, _less(e)


def _not_learnt(e: Evidence) -> _Finding | None:
    """Both losses still fall at the end, or never did."""
    validation, train = e.validation, e.train
    least = max(SETTLED * validation.fall.value, _material(validation.level))
    if _fell(validation) and -validation.late.high > least and train.late.high < 0:
        reason = (
            f"both losses still fall at the end: the validation loss by {spread(validation.late.turned())} "
            "over the last half of its points"
        )
        return Kind.UNDERFITTING, reason, "train for more epochs, or with a higher learning rate"
    if _flat(validation) and _flat(train) and validation.level > LEARNT:
        reason = f"neither loss changed by {MATERIAL:.0%}, and the validation loss stayed at {number(validation.level)}"
        remedy = (
            "train with a higher learning rate or for more epochs; if that changes nothing, look at the quality and "
            "number of the examples, or take a larger model"
        )
        return Kind.UNDERFITTING, reason, remedy
    return None


def _healthy(e: Evidence) -> _Finding | None:
    """Both losses fell, together, and the validation loss has settled."""
    validation, train = e.validation, e.train
    together = validation.fall.value > SHARED * train.fall.value
    if not (_fell(validation) and train.whole.high < 0 and together and _drift(validation) < SETTLED):
        return None
    reason = (
        f"both losses fell, the validation loss by {number(validation.fall.value)}; over the last half of its points "
        f"it changed by {spread(validation.late)}"
    )
    return Kind.HEALTHY, reason, f"{_take(e)} and measure it on test data"


def _unclear(e: Evidence) -> _Finding:
    """No case is clear; which figure hides it?"""
    validation = e.validation
    if not _fell(validation):
        reason = f"the validation loss did not clearly fall: its trend over all points is {spread(validation.whole)}"
    elif e.train.whole.high >= 0:
        reason = f"the training loss did not clearly fall: its trend over all points is {spread(e.train.whole)}"
    elif _drift(validation) >= SETTLED:
        reason = (
            f"whether the validation loss has settled is hidden: over the last half of its points it changed by "
            f"{spread(validation.late)}, beside a fall of {number(validation.fall.value)}"
        )
    else:
        reason = (
            f"the validation loss fell by {spread(validation.fall)}, the training loss by {spread(e.train.fall)}: "
            "too unlike to be healthy, not enough to be overfitting"
        )
    return Kind.CANNOT_TELL, reason, "evaluate on more validation data, or at more steps"


def _material(loss: float) -> float:
    return MATERIAL * abs(loss)


def _fell(part: Part) -> bool:
    return part.whole.high < 0 and part.fall.value > _material(part.start)


def _flat(part: Part) -> bool:
    widest = max(abs(part.whole.low), abs(part.whole.high), abs(part.fall.value))
    return widest < _material(part.start)


def _drift(part: Part) -> float:
    """How much the loss may have changed late on, as a share of its whole fall."""
    return max(-part.late.low, part.late.high) / part.fall.value


def _take(e: Evidence) -> str:
    return f"take the checkpoint of step {e.best.step}"


def _less(e: Evidence) -> str:
    return f"{_take(e)}; another time fewer epochs, a lower learning rate, or more and more varied examples"
