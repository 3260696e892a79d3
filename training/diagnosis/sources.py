"""Which file of a folder holds the curves, and what kind of file it is."""

from __future__ import annotations

from pathlib import Path

from fixtures.contracts.errors import UserError
from training.diagnosis.events import is_events, read_events
from training.diagnosis.points import Log
from training.diagnosis.records import read_records
from training.diagnosis.tables import read_table

__all__ = ["read_log"]


def read_log(path: Path) -> Log:
    """Read ``path``, or what a training left in the folder ``path``. Raises UserError for what is no log."""
    if not path.exists():
        raise UserError(f"{path}: there is no such file or folder")
    file = _log_in(path) if path.is_dir() else path
    if file.is_dir() or is_events(file):
        return read_events(file)
    try:
        text = _decoded(file.read_bytes(), file)
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror or error}") from error
    if not text.strip():
        raise UserError(f"{file}: the file is empty")
    return read_records(file, text) if text.lstrip()[0] in "{[" else read_table(file, text)


def _log_in(folder: Path) -> Path:
    """The log that was written last: a training may be running, and an earlier one may have left its own."""
    states = [
        *folder.glob("checkpoint-*/trainer_state.json"),
        *folder.glob("checkpoints/checkpoint-*/trainer_state.json"),
    ]
    runs = sorted({path.parent for path in folder.rglob("*tfevents*") if is_events(path)})
    known = [path for path in (folder / "curves.csv", folder / "trainer_state.json") if path.is_file()]
    known += sorted(states, key=_step)[-1:]
    if len(runs) == 1:
        known += runs
    others = runs or sorted([*folder.glob("*.csv"), *folder.glob("*.jsonl")])
    if known or len(others) == 1:
        return max(known or others, key=_written)
    if others:
        names = ", ".join(str(path.relative_to(folder)) for path in others)
        raise UserError(f"{folder}: more than one log may be meant; name one of {names}")
    raise UserError(
        f"{folder}: no log of a training here: no curves.csv, trainer_state.json, checkpoint, result file or "
        "TensorBoard events"
    )


def _written(path: Path) -> float:
    """When a file, or one of the files in a folder of events, was last written."""
    return max(file.stat().st_mtime for file in (path.glob("*tfevents*") if path.is_dir() else [path]))


def _step(state: Path) -> int:
    number = state.parent.name.removeprefix("checkpoint-")
    return int(number) if number.isdigit() else -1


def _decoded(data: bytes, file: Path) -> str:
    """UTF-8, or what spreadsheets write: UTF-16 with a mark, Shift JIS in Japan."""
    encodings = ("utf-16",) if data.startswith((b"\xff\xfe", b"\xfe\xff")) else ("utf-8-sig", "cp932")
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise UserError(f"{file}: this is no text")
