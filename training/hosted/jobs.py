"""``hosted list`` and ``hosted cancel``."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

from rich.console import Console

from fixtures.contracts.files import printable
from training.hosted.api import client, explained, whole
from training.hosted.settings import JobSettings, ListSettings

__all__ = ["cancel", "list_jobs"]


def list_jobs(settings: ListSettings, console: Console) -> None:
    """Print the newest jobs, one a line: names are too long for a table."""
    api = client(settings)
    with explained("cannot list the jobs"):
        jobs = list(islice(api.fine_tuning.jobs.list(limit=min(settings.limit, 100)), settings.limit))
    if not jobs:
        console.print("no jobs")
        return
    for job in jobs:
        created = datetime.fromtimestamp(job.created_at, UTC).strftime("%Y-%m-%d %H:%M")
        reason = f": {printable(job.error.message)}" if job.error and job.error.message else ""
        result = f" -> {job.fine_tuned_model}" if job.fine_tuned_model else ""
        console.print(f"{job.id}  {created}  {job.status}{reason}  {job.model}{result}", markup=False)


def cancel(settings: JobSettings, console: Console) -> None:
    """Cancel a job. Raises UserError for one that has ended."""
    from openai.types.fine_tuning import FineTuningJob

    with explained(f"cannot cancel {settings.job}"):
        job = whole(client(settings).fine_tuning.jobs.cancel(settings.job), FineTuningJob)
    console.print(f"job {job.id}: {job.status}", markup=False)
