"""Checkpoints that can be trusted after a kill at any moment.

A checkpoint counts only with a seal: digests of all its files, written last.
One that was half-written, or damaged since, is passed over for the one before.
The folder as a whole belongs to one training: a description of settings, data,
base model and library versions says which.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from rich.console import Console

from fixtures.contracts.files import sha256_file, write_json

__all__ = ["any_sealed", "checkpoint_to_resume", "newest_checkpoint", "open_checkpoints", "seal"]

SEAL = "complete.json"
OWNER = "training.json"


def checkpoint_to_resume(save_to: Path, owner: dict[str, Any], console: Console) -> Path | None:
    """The newest intact checkpoint in ``save_to/checkpoints`` of the training described by ``owner``.

    Says what was found there. Where there is none, checkpoints and logs of an
    earlier training are removed.
    """
    folder = save_to / "checkpoints"
    if differences := open_checkpoints(folder, owner):
        console.print(
            f"note: the checkpoints in {folder} are of a training with other {', '.join(differences)}; starting anew"
        )
    checkpoint, damaged = newest_checkpoint(folder)
    for path in damaged:
        console.print(f"note: {path.name} is incomplete or damaged and was removed")
    if checkpoint:
        console.print(f"continuing from {checkpoint.name}")
    else:
        shutil.rmtree(save_to / "logs", ignore_errors=True)
    return checkpoint


def open_checkpoints(folder: Path, owner: dict[str, Any]) -> list[str]:
    """Make ``folder`` the place for the checkpoints of the training described by ``owner``.

    Checkpoints of another training are removed. Returns what differs, to be
    told to the user; empty if there was nothing or it was this training's.
    """
    path = folder / OWNER
    differences: list[str] = []
    if folder.exists():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
            known = before if isinstance(before, dict) else {}
        except (OSError, ValueError):
            known = {}
        wanted = json.loads(json.dumps(owner, default=str))
        if known == wanted:
            return []
        differences = [key for key in wanted if known.get(key) != wanted[key]]
        if not any(folder.glob("checkpoint-*")):
            differences = []
        shutil.rmtree(folder)
    write_json(path, owner)
    return differences


def seal(checkpoint: Path) -> None:
    """Declare a checkpoint complete."""
    files = {path.name: sha256_file(path) for path in sorted(checkpoint.iterdir()) if path.name != SEAL}
    write_json(checkpoint / SEAL, files)


def any_sealed(folder: Path) -> bool:
    """Whether there is a checkpoint to go on from, as far as one sees without reading it."""
    return any(folder.glob(f"checkpoint-*/{SEAL}"))


def newest_checkpoint(folder: Path) -> tuple[Path | None, list[Path]]:
    """The newest intact checkpoint, and those that were passed over and removed."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: -_step(path))
    damaged: list[Path] = []
    for checkpoint in found:
        if _intact(checkpoint):
            return checkpoint, damaged
        damaged.append(checkpoint)
        shutil.rmtree(checkpoint)
    return None, damaged


def _step(checkpoint: Path) -> int:
    number = checkpoint.name.removeprefix("checkpoint-")
    return int(number) if number.isdigit() else -1


def _intact(checkpoint: Path) -> bool:
    """Whether all is as it was sealed, and the best checkpoint so far, which it points to, as well."""
    best = _best_so_far(checkpoint)
    return _as_sealed(checkpoint) and (best == checkpoint or _as_sealed(best))


def _best_so_far(checkpoint: Path) -> Path:
    try:
        state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
        # By its name: the folder may have been moved or spelled differently since.
        return checkpoint.parent / Path(state["best_model_checkpoint"]).name
    except (OSError, ValueError, KeyError, TypeError):
        return checkpoint


def _as_sealed(checkpoint: Path) -> bool:
    try:
        files = json.loads((checkpoint / SEAL).read_text(encoding="utf-8"))
        return bool(files) and all(sha256_file(checkpoint / name) == digest for name, digest in files.items())
    except (OSError, ValueError, AttributeError):
        return False
