"""``duel.json``, and its projections for people."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from evals.duel.markdown import markdown
from evals.duel.model import Duel
from evals.duel.page import html
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import write_atomic

__all__ = ["read_duel", "write"]


def write(duel: Duel, folder: Path) -> list[Path]:
    """Write all files, ``duel.json`` first; their paths."""
    contents = {"duel.json": duel.to_json(), "duel.html": html(duel), "duel.md": markdown(duel)}
    for name, content in contents.items():
        write_atomic(folder / name, content)
    return [folder / name for name in contents]


def read_duel(path: Path) -> Duel:
    """A duel, given its file or its folder. Raises UserError."""
    file = path / "duel.json" if path.is_dir() else path
    try:
        return Duel.model_validate_json(file.read_bytes())
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror or error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UserError(f"{file} is no duel.json of version 1: {place}: {first['msg']}") from error
