"""What a pipeline asks of the place that runs it.

Knitfab, spoken to by its command line, and a folder on this machine both
answer to it, so one driver serves both and a pipeline can be tried at home.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from plans.knitfab.spec import PlanSpec, Tag

__all__ = ["ENDED", "Platform", "PlatformError", "Run"]

ENDED = frozenset({"done", "failed"})
"""States that a Run does not leave by itself."""


class PlatformError(Exception):
    """The platform did not do what was asked, for no mistake of the user."""


@dataclass(frozen=True)
class Run:
    """One execution of a Plan. ``inputs`` and ``outputs`` are ids of Data by mount path."""

    id: str
    status: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    exit_code: int | None = None
    exit_message: str = ""


class Platform(Protocol):
    """Registers Plans, takes Data, and runs a Plan for every combination of Data that fits.

    Every method raises PlatformError when the platform fails, and may be called
    again after that.
    """

    def apply(self, text: str, spec: PlanSpec) -> str:
        """The id of the active Plan that is equal to ``spec``, registered from ``text`` if there is none."""

    def push(self, folder: Path, tags: Sequence[Tag]) -> str:
        """The id of Data that holds the files of ``folder`` and carries ``tags``; uploaded if there is none."""

    def runs(self, plan_id: str) -> list[Run]:
        """The Runs of a Plan, deleted ones left out."""

    def wait(self) -> None:
        """Let Runs go on: time passes, or their work is done."""

    def retry(self, run_id: str) -> None:
        """Start a failed Run again."""

    def log(self, run_id: str) -> str:
        """What a Run printed so far."""

    def pull(self, data_id: str, folder: Path) -> None:
        """Write the files of Data into ``folder``, which is replaced; whole or not at all."""
