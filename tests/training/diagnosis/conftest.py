"""The command as a user runs it, and logs as their writers write them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from training.__main__ import main


@dataclass(frozen=True)
class Run:
    """How a command ended, and what it printed."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.stdout)


@pytest.fixture
def diagnose(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """Runs ``python -m training diagnose``, within this process."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str | Path) -> Run:
        capsys.readouterr()
        code = main(["diagnose", *map(str, arguments)])
        return Run(code, *capsys.readouterr())

    return run


# Eight points of a training that overfits from step 30 on.
STEPS = tuple(range(10, 90, 10))
TRAIN = (1.40, 1.00, 0.70, 0.50, 0.36, 0.26, 0.19, 0.14)
VALIDATION = (1.45, 1.10, 0.95, 1.00, 1.08, 1.17, 1.27, 1.38)
ACCURACY = (0.60, 0.68, 0.72, 0.71, 0.70, 0.68, 0.66, 0.64)


def table(columns: Mapping[str, Iterable[object]], separator: str = ",") -> str:
    """Columns as a result file has them; None is an empty cell."""
    lines = [separator.join(columns)]
    for row in zip(*columns.values(), strict=True):
        lines.append(separator.join("" if cell is None else str(cell) for cell in row))
    return "\n".join(lines) + "\n"


def write_events(folder: Path, scalars: Iterable[tuple[str, int, float]], *, wall_time: float = 1.0) -> Path:
    """An event file as training writes it, without the seconds of importing torch."""
    pytest.importorskip("tensorboard")
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(folder), filename_suffix=f".{wall_time:g}")
    for tag, step, value in scalars:
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
        writer.add_event(Event(wall_time=wall_time, step=step, summary=summary))
    writer.close()
    return folder
