"""A job's events, each once and oldest first, whatever the pages look like.

They come newest first in pages, and while a job runs the pages move: an event
may stand on two of them, or not where it was.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from training.hosted.api import explained

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.fine_tuning import FineTuningJobEvent

__all__ = ["Event", "Events"]

_STEP = re.compile(r"Step (\d+)(?:/(\d+))?\b")
_PAGE = 100


class Event(NamedTuple):
    """What happened. ``metrics`` are the figures of a step, empty for other events."""

    id: str
    at: int
    level: str
    message: str
    metrics: dict[str, Any]

    @property
    def step(self) -> tuple[int, int | None] | None:
        """The step, and of how many, if the event is one."""
        step, total = self.metrics.get("step"), self.metrics.get("total_steps")
        if step is None and (found := _STEP.match(self.message)):
            step, total = found[1], found[2]
        return None if step is None else (int(step), int(total) if total else None)


class Events:
    """The events of ``job``."""

    def __init__(self, api: OpenAI, job: str) -> None:
        self._api = api
        self._job = job
        self._known: set[str] = set()

    def fresh(self) -> list[Event]:
        """What has happened since the last call, oldest first. Raises as `explained` does, and then forgets nothing."""
        found: dict[str, Event] = {}
        with explained(f"cannot read the events of {self._job}"):
            for page in self._api.fine_tuning.jobs.list_events(self._job, limit=_PAGE).iter_pages():
                new = [event for event in page.data if event.id not in self._known and event.id not in found]
                if not new:
                    break
                found |= {event.id: _event(event) for event in new}
        self._known |= found.keys()
        # Within a second, the order of the pages is all that is known.
        oldest_first = list(found.values())[::-1]
        return sorted(oldest_first, key=lambda event: event.at)


def _event(event: FineTuningJobEvent) -> Event:
    data = event.data if isinstance(event.data, dict) else {}
    return Event(event.id, event.created_at or 0, event.level or "info", event.message or "", dict(data))
