"""A folder that remembers Plans, Data and Runs.

``state.json`` says what there is and is written whole at every change; ``data``
holds the files of Data, ``logs`` what Runs print, ``work`` what a Run has not
finished. A killed run leaves a Run in ``work``: it is waiting again afterwards.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from fixtures.contracts.errors import UserError
from fixtures.contracts.files import sha256_folder, write_json

__all__ = ["Folder", "StoredData", "StoredRun"]


@dataclass
class StoredData:
    """Files with tags. ``made_by`` is the Run that wrote them, None for what was pushed."""

    id: str
    tags: list[str]
    digest: str
    made_by: str | None = None
    usable: bool = True


@dataclass
class StoredRun:
    """A Run as it stands; see `plans.platform.Run`."""

    id: str
    plan: str
    inputs: dict[str, str]
    status: str = "waiting"
    outputs: dict[str, str] = field(default_factory=dict)
    exit_code: int | None = None
    exit_message: str = ""


class Folder:
    """Plans (by id, as text), Data and Runs in ``root``. Raises UserError for a folder of another kind."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.plans: dict[str, str] = {}
        self.data: dict[str, StoredData] = {}
        self.runs: dict[str, StoredRun] = {}
        self._file = root / "state.json"
        if self._file.exists():
            self._load()
        elif root.exists() and any(root.iterdir()):
            raise UserError(f"{root}: holds other files; name an empty folder, or one that `plans local` made")
        for run in self.runs.values():
            if run.status == "running":
                run.status = "waiting"
        shutil.rmtree(root / "work", ignore_errors=True)
        for name in ("data", "logs", "work"):
            (root / name).mkdir(parents=True, exist_ok=True)

    def _load(self) -> None:
        try:
            state = json.loads(self._file.read_text(encoding="utf-8"))
            self.plans = dict(state["plans"])
            self.data = {entry["id"]: StoredData(**entry) for entry in state["data"]}
            self.runs = {entry["id"]: StoredRun(**entry) for entry in state["runs"]}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{self._file}: damaged or of another program: {error}") from error

    def save(self) -> None:
        """Write ``state.json``."""
        write_json(
            self._file,
            {
                "plans": self.plans,
                "data": [asdict(entry) for entry in self.data.values()],
                "runs": [asdict(entry) for entry in self.runs.values()],
            },
        )

    def files(self, data_id: str) -> Path:
        """The folder with the files of Data."""
        return self.root / "data" / data_id

    def log(self, run_id: str) -> Path:
        """Where a Run's output is kept."""
        return self.root / "logs" / f"{run_id}.txt"

    def keep(self, source: Path, tags: Iterable[str], *, made_by: str | None = None, usable: bool = True) -> StoredData:
        """Make Data of ``source``: copied if it was pushed, moved if a Run made it. The caller saves."""
        entry = StoredData(f"data-{len(self.data) + 1:04}", sorted(tags), sha256_folder(source), made_by, usable)
        target = self.files(entry.id)
        # Left by a copy that was killed before the state knew of it.
        shutil.rmtree(target, ignore_errors=True)
        if made_by is None:
            shutil.copytree(source, target)
        else:
            shutil.move(source, target)
        _for_all_to_read(target)
        self.data[entry.id] = entry
        return entry


def _for_all_to_read(folder: Path) -> None:
    """Files that nobody writes and everybody reads: an image has a user of its own."""
    for path in (folder, *folder.rglob("*")):
        # What such a user made is his, and readable.
        with suppress(PermissionError):
            path.chmod(0o755 if path.is_dir() else 0o444)
