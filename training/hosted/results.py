"""``hosted results``: all that a job leaves, in a folder: result file, events, curves, checkpoints."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from fixtures.contracts.errors import UserError
from fixtures.contracts.files import write_atomic, write_json, write_jsonl
from training.diagnosis import diagnose
from training.hosted.api import client
from training.hosted.checkpoints import checkpoints_of, keep_checkpoints
from training.hosted.download import download
from training.hosted.events import Event, Events
from training.hosted.settings import ResultsSettings
from training.hosted.watch import ENDED, job_of

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.fine_tuning import FineTuningJob

__all__ = ["results"]


def results(settings: ResultsSettings, console: Console) -> None:
    """Fill ``SAVE_TO/JOB``, draw and judge the curves, and name the best checkpoint.

    Raises UserError for a job that did not succeed, or not yet.
    """
    api, folder = client(settings), settings.save_to / settings.job
    job = _finished(api, settings, console)
    write_json(folder / "job.json", job.model_dump(mode="json"))
    happened = Events(api, job.id).fresh()
    write_jsonl(folder / "events.jsonl", map(_as_json, happened))
    log = _result_file(api, job, folder, console)
    _judge_curves(log or folder / "events.jsonl", folder, console)
    keep_checkpoints(checkpoints_of(api, job.id), folder, console)
    console.print(f"model: {job.fine_tuned_model}", markup=False)
    console.print(f"results: {folder}", markup=False)


def _finished(api: OpenAI, settings: ResultsSettings, console: Console) -> FineTuningJob:
    """The job, when it has succeeded and names its result file, or after some patience."""
    started, told = time.monotonic(), False
    while True:
        job = job_of(api, settings.job)
        if job.status not in ENDED:
            wait = f"python -m training hosted watch {job.id}"
            raise UserError(f"job {job.id} is {job.status}: there are no results yet; `{wait}` waits for them")
        if job.status != "succeeded":
            raise UserError(f"job {job.id} is {job.status}: only a job that succeeded has results")
        if job.result_files or time.monotonic() - started >= settings.patience_seconds:
            return job
        if not told:
            console.print(f"waiting up to {settings.patience_seconds:g} s for the result file")
        told = True
        time.sleep(settings.poll_seconds)


def _result_file(api: OpenAI, job: FineTuningJob, folder: Path, console: Console) -> Path | None:
    """``results.csv``, further files numbered; None where the service names none."""
    files = []
    for number, name in enumerate(job.result_files or [], 1):
        found = download(api, name)
        file = folder / ("results.csv" if number == 1 else f"results-{number}.csv")
        write_atomic(file, found.data)
        if found.note:
            console.print(f"warning: {file}: {found.note}", markup=False)
        files.append(file)
    if not files:
        console.print("note: the service names no result file yet; the curves are those of the job's events")
    return files[0] if files else None


def _judge_curves(log: Path, folder: Path, console: Console) -> None:
    try:
        diagnose(log, out=folder / "curves.svg", as_data=False, console=console)
    except UserError as error:
        # The rest of what the job left is worth having all the same.
        console.print(f"curves: {error}", markup=False)


def _as_json(event: Event) -> dict[str, object]:
    return {
        "id": event.id,
        "created_at": event.at,
        "level": event.level,
        "message": event.message,
        "type": "metrics" if event.metrics else "message",
        "data": event.metrics,
    }
