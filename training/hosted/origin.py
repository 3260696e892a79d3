"""Where a hosted model comes from: its job, its metrics, and when it ends, as far as the service still says."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from rich.console import Console

from fixtures.contracts.errors import UserError
from training.hosted.api import ServiceFailed, explained
from training.hosted.checkpoints import checkpoints_of
from training.hosted.settings import RecordSettings

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.fine_tuning import FineTuningJob

__all__ = ["origin_of"]

_CHECKPOINT = re.compile(r":ckpt-step-\d+$")
_MOST_JOBS = 1000


def origin_of(api: OpenAI, settings: RecordSettings, console: Console) -> dict[str, Any]:
    """``shutdown_date``, ``job`` and ``checkpoints``, None and empty where they are not to be had.

    Raises UserError for a ``--job`` that does not exist.
    """
    shutdown = _shutdown_date(api, settings.model)
    if shutdown:
        console.print(f"notice: {settings.model} ends on {shutdown}", style="yellow", markup=False)
    try:
        job = _job(api, settings)
        checkpoints = checkpoints_of(api, job.id) if job else []
        if job is None:
            console.print("note: no job of this model was found; --job records one with its metrics")
    except ServiceFailed as error:
        console.print(f"note: the job behind the model is not recorded: {error}", markup=False)
        job, checkpoints = None, []
    return {
        "shutdown_date": shutdown,
        "job": job.model_dump(mode="json", exclude_none=True) if job else None,
        "checkpoints": checkpoints,
    }


def _shutdown_date(api: OpenAI, model: str) -> str | None:
    try:
        with explained("cannot look at the model"):
            return getattr(api.models.retrieve(model), "shutdown_date", None)
    except (ServiceFailed, UserError):
        # Azure's deployments are not among the models, and a key may be for questions alone. If something is wrong with
        # either, the first question will tell.
        return None


def _job(api: OpenAI, settings: RecordSettings) -> FineTuningJob | None:
    if settings.job:
        with explained(f"cannot look at --job {settings.job}"):
            return api.fine_tuning.jobs.retrieve(settings.job)
    name = _CHECKPOINT.sub("", settings.model)
    try:
        with explained("cannot list the jobs"):
            jobs = islice(api.fine_tuning.jobs.list(limit=100), _MOST_JOBS)
            return next((job for job in jobs if job.fine_tuned_model == name), None)
    except UserError as error:
        # A key that may only ask models, or a service without fine-tuning.
        raise ServiceFailed(str(error)) from error
