"""Where a training writes: a folder that can be written, rid of an earlier run's statements."""

from __future__ import annotations

import os
from pathlib import Path

from fixtures.contracts.errors import UserError
from fixtures.contracts.manifest import MANIFEST

__all__ = ["make_folder", "refuse_own_output_as_base", "withdraw"]


def make_folder(save_to: Path) -> None:
    """Make the folder. Raises UserError where it cannot be written."""
    try:
        save_to.mkdir(parents=True, exist_ok=True)
        if not os.access(save_to, os.W_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise UserError(f"cannot write to --save-to {save_to}: {error.strerror}") from error


def refuse_own_output_as_base(base_model: str, folder: Path) -> None:
    """Raise UserError if the new model would take the place of the one it starts from."""
    if folder.exists() and Path(base_model).exists() and folder.samefile(base_model):
        raise UserError(f"--base-model {base_model} is where the new model goes; choose another --save-to")


def withdraw(save_to: Path) -> None:
    """Remove the statements of an earlier run, once this one trains: nobody shall take them for its own.

    Not before: a mistake in a command shall not cost an earlier model, which
    took hours, its manifest.
    """
    try:
        for path in (save_to / "model" / MANIFEST, save_to / "adapter" / MANIFEST, save_to / "metrics.json"):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"cannot write to --save-to {save_to}: {error.strerror}") from error
