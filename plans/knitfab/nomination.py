"""Which Runs Knitfab starts.

Nobody starts a Run by hand. Each input of a Plan asks for tags, and all Data
that carries them is nominated for it; the Plan runs once for every way to take
one nominated Data for each input. One more Data at one input is therefore one
more Run for each combination of the others: two configs and two models are four
evaluations, and nothing keeps together what came from the same upstream.

Only finished Data counts: what was uploaded, and what a Run that is *done* wrote.
Knitfab marks all other Data with ``knit#transient``; tags that it gets in the
meantime count as soon as the mark is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import product
from typing import Literal, NamedTuple

from plans.knitfab.spec import Mount, PlanSpec, Tag

__all__ = ["Data", "due", "fits", "nominate"]

KNIT_ID = "knit#id"
TIMESTAMP = "knit#timestamp"


class Data(NamedTuple):
    """Files in Knitfab, by what matters for nomination.

    ``tags`` are the user's, ``timestamp`` says when it was finished, ``transient``
    is None for finished Data.
    """

    id: str
    tags: frozenset[Tag] = frozenset()
    timestamp: datetime | None = None
    transient: Literal["processing", "failed"] | None = None


def fits(data: Data, mount: Mount) -> bool:
    """Whether ``data`` is nominated for the input ``mount``."""
    return data.transient is None and all(_carries(data, tag) for tag in mount.tags)


def nominate(plan: PlanSpec, data: Sequence[Data]) -> Iterator[dict[str, str]]:
    """Every combination of Data for the inputs of ``plan``, as ids of Data by mount path."""
    paths = [mount.path for mount in plan.inputs]
    nominated = [[entry.id for entry in data if fits(entry, mount)] for mount in plan.inputs]
    return (dict(zip(paths, ids, strict=True)) for ids in product(*nominated))


def due(plan: PlanSpec, data: Sequence[Data], started: Iterable[Mapping[str, str]]) -> Iterator[dict[str, str]]:
    """The combinations for which a Run has yet to be made.

    ``started`` has the inputs of all Runs that the Plan ever had. A Run that
    failed or was removed counts: Knitfab never makes the same Run twice.
    """
    known = {frozenset(inputs.items()) for inputs in started}
    return (inputs for inputs in nominate(plan, data) if frozenset(inputs.items()) not in known)


def _carries(data: Data, tag: Tag) -> bool:
    if tag.key == KNIT_ID:
        return tag.value == data.id
    if tag.key == TIMESTAMP:
        # Instants are compared, not their spelling: 10:00+00:00 is 19:00+09:00.
        return data.timestamp is not None and datetime.fromisoformat(tag.value) == data.timestamp
    return tag in data.tags
