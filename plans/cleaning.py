"""What of a project can be removed from Knitfab, and in which order.

Knitfab deletes a Run, and with it the Data it made, only if nothing else was made
of that Data; an upload is a Run, too. So the last results go first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Cleaning", "Removable", "plan_cleaning"]

ENDED = frozenset({"done", "failed"})


@dataclass(frozen=True)
class Removable:
    """A Run of the project (or an upload), and by which Runs each Data it made is used."""

    id: str
    what: str
    status: str
    used_by: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Cleaning:
    """Runs to remove, in this order, and those that stay, each with the reason."""

    remove: Sequence[Removable]
    stay: Mapping[str, str]


def plan_cleaning(runs: Sequence[Removable]) -> Cleaning:
    """Put ``runs`` into an order in which Knitfab removes them; what it would refuse stays."""
    left = {run.id: run for run in runs}
    order: list[Removable] = []
    while True:
        free = [run for run in left.values() if run.status in ENDED and not run.used_by - {entry.id for entry in order}]
        if not free:
            return Cleaning(order, {run.id: _reason(run, order) for run in left.values()})
        for run in free:
            order.append(left.pop(run.id))


def _reason(run: Removable, removed: Sequence[Removable]) -> str:
    if run.status not in ENDED:
        return f"it is {run.status}: knit run stop --fail {run.id} first"
    users = sorted(run.used_by - {entry.id for entry in removed})
    return f"what it made is used by {', '.join(users)}"
