"""Reports kept to compare later ones with: one file each, numbered, in a folder.

``0003_e07b41bc096a_20261120-165726_main.json`` is the third one, saved at that
commit and time (UTC) under the name ``main``. What such a file holds is the
report, nothing else; the idea is pytest-benchmark's.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from evals.comparable import unfinished
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import printable, write_atomic

if TYPE_CHECKING:
    from evals.reports.model import Report

__all__ = ["STORAGE", "Baseline", "find_report", "list_baselines", "report_file", "save_baseline"]

STORAGE = Path(".evals-baselines")
LATEST = "latest"
_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
_COMMIT = r"[0-9a-f]{7,64}(?:-dirty)?"
_FILE = re.compile(
    rf"(?P<number>\d{{4,}})_(?P<commit>nocommit|{_COMMIT})_(?P<saved>\d{{8}}-\d{{6}})(?:_(?P<name>{_NAME}))?\.json"
)


@dataclass(frozen=True)
class Baseline:
    """A saved report, by what its file name says."""

    path: Path
    number: int
    commit: str
    """Of the repository it was saved in, ``-dirty`` if tracked files were changed; else ``nocommit``."""
    saved: str
    """Time in UTC."""
    name: str
    """Empty if it was given none."""

    def is_called(self, text: str) -> bool:
        """Whether ``text`` means this one: its number, name or file."""
        if text.isascii() and text.isdigit():
            return int(text) == self.number
        return text in (self.name, self.path.name, self.path.stem) and text != ""


def list_baselines(storage: Path) -> list[Baseline]:
    """All in ``storage``, oldest first; files of other names are none. Raises UserError if it cannot be read."""
    found = []
    for path in _files(storage):
        if match := _FILE.fullmatch(path.name):
            saved = _readable(match["saved"])
            found.append(Baseline(path, int(match["number"]), match["commit"], saved, match["name"] or ""))
    return sorted(found, key=lambda baseline: (baseline.number, baseline.saved, baseline.path.name))


def save_baseline(report: Report, storage: Path, *, name: str = "") -> Baseline:
    """Keep ``report`` under the next number. No file is ever overwritten, also if several processes save at once.

    Raises UserError for a report that does not measure its model, a name that
    could be taken for something else, and a folder that cannot be written.
    """
    if (said := unfinished(report)) is not None:
        raise UserError(f"this report cannot be a baseline: it is {said}")
    if name and (not re.fullmatch(_NAME, name) or name.isdigit() or name == LATEST):
        raise UserError(
            f'--name "{printable(name)}": a name has at most 64 of the characters A-Z a-z 0-9 _ . -, begins with '
            f'a letter or digit, is no number and not "{LATEST}"'
        )
    commit, saved = _commit(), datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    with _next_number(storage) as number:
        path = storage / f"{number:04}_{commit}_{saved}{'_' if name else ''}{name}.json"
        write_atomic(path, report.to_json())
    return Baseline(path, number, commit, _readable(saved), name)


def find_report(text: str, storage: Path) -> Path:
    """The report that ``text`` means: ``latest``, a baseline's number, name or file; or a report or its folder.

    Of several baselines of one name it is the newest. Raises UserError if there
    is none, or if it could be two.
    """
    saved = list_baselines(storage)
    found = saved[-1:] if text == LATEST else [baseline for baseline in saved if baseline.is_called(text)]
    path = report_file(Path(text))
    if found and text != LATEST and path.is_file() and not path.samefile(found[-1].path):
        raise UserError(f"{text} is a baseline in {storage} and a report: write ./{text} or {found[-1].path}")
    if text.isdigit() and len(found) > 1:
        names = ", ".join(baseline.path.name for baseline in found)
        raise UserError(f"{text} is the number of several baselines in {storage}: {names}; name the file")
    if found:
        return found[-1].path
    if path.exists():
        return path
    there = ", ".join(f"{baseline.number:04} {baseline.name}".rstrip() for baseline in saved[-10:])
    hint = f"the last ones are: {there}" if saved else "`python -m evals baseline save REPORT` saves one"
    raise UserError(f"no baseline {printable(text)} in {storage}, and no report of this name\n  {hint}")


def report_file(path: Path) -> Path:
    """``path``, or the report in it if it is a folder."""
    return path / "report.json" if path.is_dir() else path


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        git = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=30, check=False)
    except (OSError, subprocess.SubprocessError):
        return "nocommit"
    said = git.stdout.strip()
    return said if git.returncode == 0 and re.fullmatch(_COMMIT, said) else "nocommit"


def _readable(stamp: str) -> str:
    return f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]} {stamp[9:11]}:{stamp[11:13]}:{stamp[13:15]}"


def _files(storage: Path) -> list[Path]:
    try:
        return list(storage.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UserError(f"cannot read the baselines in {storage}: {error.strerror}") from error


def _numbers(storage: Path) -> set[int]:
    return {int(match[0]) for path in _files(storage) if (match := re.match(r"\d{4,}(?=_)", path.name))}


@contextmanager
def _next_number(storage: Path) -> Iterator[int]:
    """A number that nobody else gets: file names differ, so creating them exclusively would not tell.

    A process that is killed here leaves its mark, and the number is skipped.
    """
    try:
        storage.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot save a baseline in {storage}: {error.strerror}") from error
    number = max(_numbers(storage), default=0)
    while True:
        number += 1
        mark = storage / f".{number:04}.reserved"
        try:
            mark.touch(exist_ok=False)
        except FileExistsError:
            continue
        except OSError as error:
            raise UserError(f"cannot save a baseline in {storage}: {error.strerror}") from error
        try:
            # Another process may have saved under this number, and let go of it, since we looked.
            if number not in _numbers(storage):
                yield number
                return
        finally:
            mark.unlink(missing_ok=True)
