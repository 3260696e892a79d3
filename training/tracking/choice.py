"""Which trackers were asked for: known, and refused, before anything heavy is imported."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

from fixtures.contracts.errors import UserError

__all__ = ["TRACKERS", "Trackers", "prepare"]

TRACKERS = ("mlflow", "wandb")
"""Beside TensorBoard. Their names are those of the packages, and of our extras."""


def _names(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))


def _known(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name == "tensorboard":
            raise ValueError("TensorBoard's logs are always written; leave it out")
        if name not in TRACKERS:
            raise ValueError(f"there is no tracker {name!r}; must be {' or '.join(TRACKERS)}, or both with a comma")
    return names


Trackers = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names), AfterValidator(_known)]


def prepare(names: Iterable[str]) -> None:
    """See that the trackers are installed, and that none of them reports home.

    To be called before they are imported. Raises UserError that names the extra.
    """
    for name in names:
        if importlib.util.find_spec(name) is None:
            raise UserError(f'--track {name}: {name} is not installed; pip install "newsjudge[{name}]"')
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
