"""``hosted create``: upload what is not there yet, and start a job on it.

A job costs money, so its creation is never repeated blindly: when the answer
got lost, the list of jobs is asked whether there is a new one.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from fixtures.contracts.files import write_json
from training.hosted.api import ServiceFailed, client, explained, whole
from training.hosted.settings import CreateSettings
from training.hosted.uploads import Uploaded, upload_files

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.fine_tuning import FineTuningJob

__all__ = ["create"]

CREATED = "created.json"
_FILE_ID = re.compile(r"file-[\w-]+")


def create(settings: CreateSettings, console: Console) -> None:
    """Start the job, keep what was asked in ``SAVE_TO/JOB/created.json``, and print its id."""
    api = client(settings)
    files = _files(api, settings, console)
    request = _request(settings, {role: entry["id"] for role, entry in files.items()})
    job = _start(api, request, settings.max_retries, console)
    # Said first: should the disk be full, the job is there all the same.
    console.print(f"job {job.id}: {job.status}", markup=False)
    write_json(settings.save_to / job.id / CREATED, {"job": job.id, "request": request, "files": files})
    console.print(f"next: python -m training hosted watch {job.id}", markup=False)


def _files(api: OpenAI, settings: CreateSettings, console: Console) -> dict[str, Uploaded]:
    """The uploaded files by the API's name for their role."""
    given = {"training_file": settings.train_file, "validation_file": settings.eval_file}
    paths = {
        role: Path(value)
        for role, value in given.items()
        if value and not (_FILE_ID.fullmatch(value) and not Path(value).exists())
    }
    uploaded = upload_files(
        api,
        list(paths.values()),
        settings,
        console,
        max_tokens=settings.max_tokens,
        least="training_file" in paths,
    )
    by_role = dict(zip(paths, uploaded, strict=True))
    return {role: by_role.get(role, {"id": value}) for role, value in given.items() if value}


def _request(settings: CreateSettings, files: dict[str, str]) -> dict[str, Any]:
    names = ("n_epochs", "batch_size", "learning_rate_multiplier")
    parameters = {name: value if (value := getattr(settings, name)) is not None else "auto" for name in names}
    request: dict[str, Any] = {
        "model": settings.model,
        **files,
        "method": {"type": "supervised", "supervised": {"hyperparameters": parameters}},
    }
    chosen = {"suffix": settings.suffix, "seed": settings.seed}
    return request | {name: value for name, value in chosen.items() if value is not None}


def _start(api: OpenAI, request: dict[str, Any], retries: int, console: Console) -> FineTuningJob:
    from openai.types.fine_tuning import FineTuningJob

    with explained("cannot list the jobs there are"):
        before = {job.id for job in api.fine_tuning.jobs.list(limit=20).data}
    once = api.with_options(max_retries=0)
    # Only what was turned away at the door is sure not to have been carried out.
    turned_away = Retrying(
        retry=retry_if_exception(_turned_away),
        wait=wait_random_exponential(multiplier=0.5, max=8),
        stop=stop_after_attempt(retries + 1),
        reraise=True,
    )
    try:
        with explained("cannot create the job"):
            return whole(turned_away(once.fine_tuning.jobs.create, **request), FineTuningJob)
    except ServiceFailed as error:
        if job := _created_all_the_same(api, request["training_file"], before):
            console.print(f"note: {error}; but the job was created", markup=False)
            return job
        raise ServiceFailed(
            f"{error}\n  no new job is listed; see `python -m training hosted list` before you repeat the command"
        ) from error


def _turned_away(error: BaseException) -> bool:
    from openai import RateLimitError

    return isinstance(error, RateLimitError) and error.code != "insufficient_quota"


def _created_all_the_same(api: OpenAI, file: str, before: Collection[str]) -> FineTuningJob | None:
    with explained("cannot find out whether the job was created; see `python -m training hosted list`"):
        jobs = api.fine_tuning.jobs.list(limit=20).data
    return next((job for job in jobs if job.id not in before and job.training_file == file), None)
