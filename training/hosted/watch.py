"""``hosted watch``: a job's events as they come, until it ends.

The job runs at the service, and nothing is kept here: stopping to watch changes
nothing, and watching again shows all of it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from fixtures.contracts.errors import UserError
from fixtures.contracts.files import printable
from training.errors import TrainingFailed
from training.hosted.api import ServiceFailed, client, explained, whole
from training.hosted.events import Event, Events
from training.hosted.settings import WatchSettings

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.fine_tuning import FineTuningJob

__all__ = ["ENDED", "job_of", "watch"]

ENDED = ("succeeded", "failed", "cancelled", "canceled")
"""Both spellings of the last: services differ."""
_BETWEEN = 15.0
"""Seconds between two lines of training loss."""


def watch(settings: WatchSettings, console: Console) -> None:
    """Show the events until the job has succeeded.

    Raises TrainingFailed if it failed or was cancelled, UserError if the
    service refused its files, ServiceFailed if the service is out of reach for
    too long.
    """
    again = f"`python -m training hosted watch {settings.job}` goes on"
    try:
        job = _until_the_end(client(settings), settings, console)
    except KeyboardInterrupt:
        ends = f"`python -m training hosted cancel {settings.job}` ends it"
        raise KeyboardInterrupt(f"stopped watching; the job runs on: {again}, {ends}") from None
    except ServiceFailed as error:
        raise ServiceFailed(f"{error}\n  the job runs on: {again}") from error
    _conclude(job, console)


def job_of(api: OpenAI, name: str) -> FineTuningJob:
    """The job as it is now."""
    from openai.types.fine_tuning import FineTuningJob

    with explained(f"cannot look at job {name}"):
        return whole(api.fine_tuning.jobs.retrieve(name), FineTuningJob)


def _until_the_end(api: OpenAI, settings: WatchSettings, console: Console) -> FineTuningJob:
    events, shown = Events(api, settings.job), _Shown(console)
    reached, lost = time.monotonic(), False
    with shown.progress:
        while True:
            try:
                # The job before its events: when it has ended, all of them are there.
                job = job_of(api, settings.job)
                fresh = events.fresh()
            except ServiceFailed as error:
                if time.monotonic() - reached >= settings.patience_seconds:
                    raise
                if not lost:
                    console.print(f"{error}; trying on for {settings.patience_seconds:g} s", markup=False)
                lost = True
            else:
                if lost:
                    console.print("the service answers again")
                reached, lost = time.monotonic(), False
                shown.tell(job.status, fresh)
                if job.status in ENDED:
                    return job
            time.sleep(settings.poll_seconds)


class _Shown:
    """What the user sees: a line for what happened, a bar for the steps where there is a terminal."""

    def __init__(self, console: Console) -> None:
        self.progress = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[place]}"),
            TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal,
        )  # fmt: skip
        self._console = console
        self._task = self.progress.add_task("", total=None, place="")
        self._status = ""
        self._told = -_BETWEEN

    def tell(self, status: str, fresh: list[Event]) -> None:
        """Show what is new."""
        steps = [event for event in fresh if event.step]
        newest = max(steps, key=lambda event: event.step[0] if event.step else 0, default=None)
        for event in fresh:
            if event.step is None or "full_valid_loss" in event.metrics or (event is newest and self._due()):
                self._line(event)
        if status != self._status:
            self._console.print(f"status: {status}", markup=False)
            self._status = status
        self.progress.update(self._task, description=status)
        if newest and newest.step:
            step, total = newest.step
            place = f"step {step} of {total}" if total else f"step {step}"
            self.progress.update(self._task, completed=step, total=total, place=place)

    def _due(self) -> bool:
        due = time.monotonic() - self._told >= _BETWEEN
        if due:
            self._told = time.monotonic()
        return due

    def _line(self, event: Event) -> None:
        at = time.strftime("%H:%M:%S", time.localtime(event.at))
        level = "" if event.level == "info" else f"{event.level}: "
        self._console.print(f"{at} {level}{printable(event.message)}", markup=False)


def _conclude(job: FineTuningJob, console: Console) -> None:
    if job.status == "succeeded":
        tokens = f", {job.trained_tokens:,} tokens trained" if job.trained_tokens else ""
        console.print(f"model {job.fine_tuned_model}{tokens}", markup=False)
        console.print(f"next: python -m training hosted results {job.id}", markup=False)
        return
    if job.status != "failed":
        raise TrainingFailed(f"job {job.id} was cancelled")
    why = printable((job.error.message if job.error else None) or "the service does not say why")
    if job.error and job.error.param in ("training_file", "validation_file"):
        raise UserError(f"job {job.id} failed: {why} ({job.error.param})")
    raise TrainingFailed(f"job {job.id} failed: {why}")
