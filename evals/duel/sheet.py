"""What raters get: the question and both answers, with nothing that tells whose they are.

Which answer stands on the left is drawn for each row by a seed, and kept in
``sides.json`` beside the duel: without that file no sheet can be read, and
with another one it would be read wrongly. Hence it is never overwritten.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from evals.duel.model import Duel, DuelRow
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import write_json

__all__ = ["SIDES", "Sides", "draw_sheet", "keep_sides", "read_sides"]

SIDES = "sides.json"


class Sides(BaseModel):
    """Whose answer stands on the left, by row; ``same`` rows have identical answers and are not in the sheet."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    duel: str
    """Digest of the pairs of answers."""
    seed: int
    left: dict[str, Literal["A", "B", "same"]]


def draw_sheet(duel: Duel, count: int | None, *, seed: int) -> tuple[list[dict[str, Any]], Sides]:
    """``count`` rows at random (None: all), as raters get them, and whose answers they show.

    A larger ``count`` adds to a smaller one. Raises UserError if there are not so many rows.
    """
    rows = sorted((row for row in duel.rows if row.a is not None and row.b is not None), key=lambda row: row.id)
    if count is not None and count > len(rows):
        raise UserError(f"cannot draw {count} rows: the duel has {len(rows)} with both answers; lower --count")
    order = np.random.default_rng(seed).permutation(len(rows))[:count]
    drawn = [rows[place] for place in order]
    left = {row.id: _left(row, seed) for row in drawn}
    shown = [_shown(row, left[row.id], duel.judge.sees_reference) for row in drawn if left[row.id] != "same"]
    return shown, Sides(duel=duel.digest, seed=seed, left=left)


def keep_sides(path: Path, sides: Sides) -> None:
    """Write ``sides.json``, or add to it. Raises UserError if it is another sheet's."""
    if path.exists():
        before = _read(path)
        if (before.duel, before.seed) != (sides.duel, sides.seed):
            why = f"with --seed {before.seed}" if before.duel == sides.duel else "from other answers"
            raise UserError(
                f"{path} belongs to a sheet drawn {why}, whose ratings cannot be read without it\n"
                "  draw with the same seed, or remove the file if those ratings are not wanted"
            )
        sides = sides.model_copy(update={"left": before.left | sides.left})
    write_json(path, sides.model_dump(mode="json"))


def read_sides(path: Path, duel: str, known: Collection[str]) -> Sides | None:
    """The sides kept for the duel of this digest; None if no sheet was drawn.

    Raises UserError if they are those of other answers, or of rows that are not ``known``.
    """
    if not path.exists():
        return None
    sides = _read(path)
    if sides.duel != duel:
        raise UserError(f"{path} belongs to a sheet with other answers: its ratings say nothing of these")
    if strangers := sorted(set(sides.left) - set(known)):
        raise UserError(
            f"{path} has {len(strangers)} rows that are not drawn here, e.g. {strangers[0]}: "
            "hold the duel with the --num-samples and --seed of the one that the sheet was drawn from"
        )
    return sides


def _read(path: Path) -> Sides:
    try:
        return Sides.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise UserError(f"cannot read {path}: {error}") from error


def _left(row: DuelRow, seed: int) -> Literal["A", "B", "same"]:
    if row.how == "identical":
        return "same"
    # By row, so that a sheet that grows keeps its sides.
    return "A" if hashlib.sha256(json.dumps([seed, row.id]).encode()).digest()[0] % 2 else "B"


def _shown(row: DuelRow, left: str, reference: bool) -> dict[str, Any]:
    first, second = (row.a, row.b) if left == "A" else (row.b, row.a)
    return {
        "id": row.id,
        "question": row.question,
        **({"reference": row.reference} if reference else {}),
        "left": first,
        "right": second,
        "rating": "",
        "rater": "",
    }
