"""What of a project can be removed from Knitfab, and in which order.

Knitfab deletes a Run, and with it the Data it made, only if nothing else was made
of that Data; an upload is a Run, too. So the last results go first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plans.platform import ENDED

__all__ = ["Cleaning", "Leftover", "plan_cleaning"]


@dataclass(frozen=True)
class Leftover:
    """A Run of the project, or an upload, and the Runs that use what it made."""

    id: str
    what: str
    status: str
    used_by: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Cleaning:
    """Runs to remove, in this order, and those that stay, each with the reason."""

    remove: Sequence[Leftover]
    stay: Mapping[Leftover, str]


def plan_cleaning(runs: Sequence[Leftover]) -> Cleaning:
    """Put ``runs`` into an order in which Knitfab removes them; what it would refuse stays."""
    left = {run.id: run for run in runs}
    order: list[Leftover] = []
    while True:
        gone = {run.id for run in order}
        free = [run for run in left.values() if run.status in ENDED and not run.used_by - gone]
        if not free:
            return Cleaning(order, {run: _reason(run, gone) for run in left.values()})
        order += [left.pop(run.id) for run in free]


def _reason(run: Leftover, gone: set[str]) -> str:
    if run.status not in ENDED:
        return f"it is {run.status}; end it first: knit run stop --fail {run.id}"
    return f"what it made is used by {', '.join(sorted(run.used_by - gone))}"
