"""MLflow: a server where MLFLOW_TRACKING_URI names one, else a database in the output folder."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fixtures.contracts.errors import UserError
from training.tracking.delivery import Outcome, Result, without_secrets

__all__ = ["MODEL_BYTES", "MLflow"]

EXPERIMENT = "newsjudge"

MODEL_BYTES = 2 * 1024**3
"""Larger models are not copied into MLflow: some of them take hours, and the disk twice."""

# How long the training waits for a server that does not answer; MLflow's own would be ten minutes.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "30", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}

_STATES = {"finished": "FINISHED", "failed": "FAILED", "stopped": "KILLED"}
_FLAVOURS = {"classify": "text-classification"}


class MLflow:
    """A run; the one called ``run_id`` if that is given and still there."""

    name = "mlflow"

    def __init__(self, save_to: Path, parameters: Mapping[str, Any], run_id: str | None) -> None:
        for variable, value in _PATIENCE.items():
            os.environ.setdefault(variable, value)
        # It would print the address of the run, with the password in it.
        os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
        import mlflow

        for logger in ("mlflow", "alembic"):
            # Each table that it makes, and each thing that it could not find out about a model.
            logging.getLogger(logger).setLevel(logging.ERROR)
        self._mlflow = mlflow
        folder = None if os.environ.get("MLFLOW_TRACKING_URI") else save_to / "mlflow"
        uri = _own_store(folder) if folder else os.environ["MLFLOW_TRACKING_URI"]
        mlflow.set_tracking_uri(uri)
        self._client = mlflow.MlflowClient(uri)
        # What the run has been told: an interrupted training tells some of it again.
        self._known: set[tuple[str, int]] = set()
        known = run_id or os.environ.get("MLFLOW_RUN_ID")
        if known and self._go_on(known):
            self.run_id = known
        else:
            self.run_id = self._client.create_run(self._experiment(folder)).info.run_id
            self._client.log_batch(
                self.run_id, params=[mlflow.entities.Param(name, str(value)) for name, value in parameters.items()]
            )
        self.place = f"{self.run_id} in {without_secrets(uri)}"

    def point(self, step: int, figures: Mapping[str, float], measured: float) -> None:
        """Metrics of these names."""
        # The server takes a metric of the same step and time once, however often it is sent.
        milliseconds = int(measured * 1000)
        metrics = [
            self._mlflow.entities.Metric(name, value, milliseconds, step)
            for name, value in figures.items()
            if (name, step) not in self._known
        ]
        if metrics:
            self._client.log_batch(self.run_id, metrics=metrics)
            self._known |= {(name, step) for name in figures}

    def result(self, result: Result) -> str:
        """The final figures as metrics at step 0, the files as artifacts, the model."""
        self.point(0, result.figures, time.time())
        for name, content in result.files.items():
            if isinstance(content, Path):
                self._client.log_artifact(self.run_id, str(content), Path(name).parent.as_posix().removeprefix("."))
            else:
                self._client.log_text(self.run_id, content, name)
        return self._log_model(result) if result.model else ""

    def close(self, outcome: Outcome) -> None:
        """Give the run its end."""
        self._client.set_terminated(self.run_id, _STATES[outcome])

    def _go_on(self, run_id: str) -> bool:
        """Whether there is such a run; if so, it runs again, and what it has been told is known."""
        try:
            run = self._client.get_run(run_id)
        except self._mlflow.exceptions.MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise
        self._client.update_run(run_id, status="RUNNING")
        self._known = {
            (name, metric.step) for name in run.data.metrics for metric in self._client.get_metric_history(run_id, name)
        }
        return True

    def _experiment(self, folder: Path | None) -> str:
        """The id of the experiment that the environment names, or ours; its artifacts go to ``folder`` if given."""
        if known := os.environ.get("MLFLOW_EXPERIMENT_ID"):
            return known
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
        if experiment := self._client.get_experiment_by_name(name):
            if experiment.lifecycle_stage == "deleted":
                raise UserError(f"--track mlflow: the experiment {name!r} was deleted; set MLFLOW_EXPERIMENT_NAME")
            return str(experiment.experiment_id)
        # Without a place of their own, they would go to where the command was started.
        artifacts = (folder / "artifacts").resolve().as_uri() if folder else None
        return str(self._client.create_experiment(name, artifact_location=artifacts))

    def _log_model(self, result: Result) -> str:
        folder = result.model
        if folder is None:
            return ""
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        if size > MODEL_BYTES:
            return (
                f"the model is left in {folder}: {size / 1024**3:.1f} GiB are more than the "
                f"{MODEL_BYTES / 1024**3:.0f} GiB that are copied (see docs/tracking.md)"
            )
        with self._mlflow.start_run(run_id=self.run_id):
            self._mlflow.transformers.log_model(
                # In full: a relative path may look like a name on the hub, which would be asked for it.
                str(folder.resolve()),
                name="model",
                task=_FLAVOURS.get(result.task, "text-generation"),
                # Else it would start a process to find out.
                pip_requirements=[f"{name}=={version}" for name, version in result.versions.items()],
            )
        return ""


def _own_store(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{(folder / 'mlflow.db').resolve()}"
