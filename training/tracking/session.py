"""One training, told to all of its trackers.

Its runs there belong to the training as its checkpoints do: an interrupted one
goes on in the same runs, whose ids are kept beside the checkpoints.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console

from fixtures.contracts.errors import UserError
from fixtures.contracts.files import write_json
from fixtures.contracts.manifest import MANIFEST, library_versions
from training.processes import is_main_process
from training.tracking.delivery import Delivery, Outcome, Result, Tracker, in_a_line, without_secrets

__all__ = ["Tracking"]

RUNS = "tracking.json"
"""Beside the checkpoints: tracker → id of the run there."""

# What a config file needs not say, or cannot: it would name itself.
_NOT_TO_REPEAT = ("config_file", "save_to", "check_only")


class Tracking:
    """What is measured, told to TensorBoard and to the trackers ``track``. A context: their runs end with it."""

    def __init__(self, track: Sequence[str], save_to: Path, console: Console) -> None:
        self._track = track
        self._save_to = save_to
        self._console = console
        self._deliveries: list[Delivery] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        outcome: Outcome = "finished" if kind is None else "failed" if issubclass(kind, Exception) else "stopped"
        for delivery in self._deliveries:
            delivery.close(outcome, self._save_to)

    def begin(self, parameters: Mapping[str, Any], checkpoint: Path | None, *, resumable: bool = True) -> None:
        """Open the trackers, for a training that begins, or goes on from ``checkpoint``.

        Raises UserError for one that was asked for and does not work.
        """
        if not is_main_process():
            return
        plain = {name: _plain(value) for name, value in parameters.items() if value is not None}
        resumed_at = int(checkpoint.name.rpartition("-")[2]) if checkpoint else None
        if tracker := self._tensorboard(plain, resumed_at):
            self._deliveries.append(Delivery(tracker, self._console))
        kept = self._save_to / "checkpoints" / RUNS
        runs = _read(kept) if resumable else {}
        for name in self._track:
            tracker, run_id, place = _opened(name, self._save_to, plain, runs.get(name))
            self._deliveries.append(Delivery(tracker, self._console))
            again = "goes on in run" if run_id == runs.get(name) else "run"
            self._console.print(f"{name}: {again} {place}", markup=False)
            runs[name] = run_id
        if resumable and runs:
            write_json(kept, runs)

    def point(self, step: int, figures: Mapping[str, float]) -> None:
        """Figures measured at a step, by the names of ``curves.csv``."""
        measured = time.time()  # once, so that each tracker has the same time
        for delivery in self._deliveries:
            delivery.point(step, figures, measured)

    def finish(
        self, task: str, settings: Mapping[str, Any], metrics: Mapping[str, Any], folders: Sequence[Path]
    ) -> None:
        """The end of a training that succeeded: its figures, and the files and the model that it wrote.

        ``settings`` become an artifact that ``--config-file`` takes.
        """
        if not self._deliveries:
            return
        written = [*(self._save_to / name for name in ("metrics.json", "curves.csv", "curves.png"))]
        written += [folder / MANIFEST for folder in folders]
        files: dict[str, Path | str] = {
            path.relative_to(self._save_to).as_posix(): path for path in written if path.exists()
        }
        repeat = {name: value for name, value in settings.items() if value is not None and name not in _NOT_TO_REPEAT}
        files["settings.json"] = without_secrets(json.dumps(repeat, indent=2, ensure_ascii=False) + "\n")
        model = self._save_to / "model"
        # Without the "+cpu" of a build, which pip would not find.
        versions = {
            name: version.partition("+")[0] for name, version in library_versions("torch", "transformers").items()
        }
        result = Result(dict(_figures(metrics)), files, model if model in folders else None, task, versions)
        for delivery in self._deliveries:
            delivery.result(result)

    def _tensorboard(self, parameters: Mapping[str, Any], resumed_at: int | None) -> Tracker | None:
        from training.tracking.to_tensorboard import TensorBoard

        try:
            return TensorBoard(self._save_to / "logs", parameters, resumed_at)
        except ImportError:
            self._console.print(
                'note: tensorboard is not installed, so there are no logs for it; pip install "newsjudge[train]"',
                markup=False,
            )
            return None


def _opened(name: str, save_to: Path, parameters: Mapping[str, Any], run_id: str | None) -> tuple[Tracker, str, str]:
    """A tracker, the id of its run, and where to look. Raises UserError if it does not work."""
    try:
        if name == "mlflow":
            from training.tracking.to_mlflow import MLflow

            mlflow = MLflow(save_to, parameters, run_id)
            return mlflow, mlflow.run_id, mlflow.place
        from training.tracking.to_wandb import WeightsAndBiases

        wandb = WeightsAndBiases(save_to, parameters, run_id)
        return wandb, wandb.run_id, wandb.place
    except UserError:
        raise
    except Exception as error:  # each library has its own errors
        way_out = "; WANDB_MODE=offline needs no server" if name == "wandb" else ""
        raise UserError(f"--track {name} does not work: {in_a_line(error)}{way_out}") from error


def _plain(value: Any) -> Any:
    """A parameter as every tracker takes it."""
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return without_secrets(value) if isinstance(value, str) else value


def _figures(metrics: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, float]]:
    """The single figures in ``metrics.json``, a name being the path to it."""
    for key, value in metrics.items():
        if isinstance(value, Mapping):
            yield from _figures(value, f"{path}{key}/")
        elif isinstance(value, (int, float)) and not isinstance(value, bool) and key != "schema_version":
            yield f"{path}{key}", value


def _read(path: Path) -> dict[str, str]:
    try:
        runs = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return runs if isinstance(runs, dict) else {}
