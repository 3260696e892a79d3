"""Plans in files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fixtures.contracts.errors import UserError
from fixtures.contracts.files import printable
from plans.knitfab.receiving import received
from plans.knitfab.refusals import CliRefused, ServerRefused
from plans.knitfab.source import read_plan
from plans.knitfab.spec import PlanSpec
from plans.knitfab.validation import validated

__all__ = ["NamedPlan", "read_plans", "read_text"]


class NamedPlan(NamedTuple):
    """A Plan and the file that it stands in."""

    file: Path
    plan: PlanSpec


def read_text(path: Path) -> str:
    """The text of a Plan's file. Raises UserError for one that cannot be read or is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot read {printable(str(path))}: {reason}") from error


def read_plans(files: Sequence[Path]) -> list[NamedPlan]:
    """Plans that are right by themselves; whether they agree with each other is not asked.

    Raises UserError for one that is not.
    """
    plans = []
    for file in files:
        try:
            plans.append(NamedPlan(file, validated(received(read_plan(read_text(file)).request))))
        except (CliRefused, ServerRefused) as refusal:
            raise UserError(
                f"Knitfab would refuse {printable(str(file))} ({refusal.rule}); `python -m plans check` tells more"
            ) from refusal
    return plans
