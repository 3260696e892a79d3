"""``hosted record``: what a hosted model answers, kept for the day when it does not answer any more.

For each data file a folder with ``answers.jsonl``, which evaluation reads, and
``record.json``, written last: whose answers these are, to what, and how they
came about. An answer is on disk as soon as it is there.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fixtures.contracts.errors import UserError
from fixtures.contracts.files import printable, sha256_file, write_json
from fixtures.contracts.manifest import library_versions
from fixtures.conversations.answers import ANSWERS, write_answers
from fixtures.conversations.faults import counted
from fixtures.conversations.rows import ChatRow, ChatRows, rows_of
from training.hosted.api import ServiceFailed, address, async_client, client
from training.hosted.asking import Answer, ask, parameters
from training.hosted.finished import Finished, open_finished
from training.hosted.origin import origin_of
from training.hosted.settings import RecordSettings

__all__ = ["RECORD", "record"]

RECORD = "record.json"
_BETWEEN = 15.0
"""Seconds between two lines of progress, where there is no terminal."""


def record(settings: RecordSettings, console: Console) -> None:
    """Record the answers to all data files; what is recorded already is not asked again.

    Raises UserError with all faults of a data file before anything is asked.
    """
    files = [rows_of(path) for path in settings.data]
    asked = {"model": settings.model, "base_url": address(settings), **parameters(settings)}
    origin = None
    for file in files:
        for warning in file.warnings:
            console.print(f"{file.path}: {warning}", markup=False)
        folder = settings.save_to / file.path.stem
        about = _about(file)
        if _recorded(folder, asked, about):
            console.print(f"{folder}: recorded before, nothing to ask", markup=False)
            continue
        # Asked first: once answers are there, nothing shall keep the record from being written.
        origin = origin or origin_of(client(settings), settings, console)
        with open_finished(folder, asked) as finished:
            _ask(file, finished, settings, console)
            answers = {row.id: finished.answers[row.id, row.digest] for row in file.rows}
        _write(folder, file.rows, answers)
        versions = library_versions("openai")
        write_json(folder / RECORD, {**_head(asked, about), **_summary(answers), **origin, "versions": versions})
        _tell(folder, answers, console)


def _ask(file: ChatRows, finished: Finished, settings: RecordSettings, console: Console) -> None:
    """Ask what has no answer yet. What interrupts it says how much is kept."""
    open_rows = [row for row in file.rows if (row.id, row.digest) not in finished.answers]
    if len(open_rows) < len(file.rows):
        console.print(f"{file.path}: {len(file.rows) - len(open_rows)} answers are there, going on", markup=False)

    def kept() -> str:
        done = sum((row.id, row.digest) in finished.answers for row in file.rows)
        return f"{done} of {counted(len(file.rows), 'answer')} to {file.path} are kept; the same command goes on"

    progress = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip
    task = progress.add_task(f"asking {printable(settings.model)}", total=len(open_rows))
    told = time.monotonic()

    def tick() -> None:
        nonlocal told
        progress.advance(task)
        if not console.is_terminal and time.monotonic() - told >= _BETWEEN:
            told = time.monotonic()
            console.print(f"{progress.tasks[0].completed:,.0f} of {counted(len(open_rows), 'question')} answered")

    with progress:
        try:
            asyncio.run(_ask_all(file.path, open_rows, settings, finished, tick))
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"interrupted; {kept()}") from None
        except (UserError, ServiceFailed) as error:
            raise type(error)(f"{error}\n  {kept()}") from error


async def _ask_all(
    path: Path, rows: Sequence[ChatRow], settings: RecordSettings, finished: Finished, tick: Callable[[], object]
) -> None:
    """Ask ``rows``, so many at a time. After a failure nothing new is asked, but what is under way is waited for."""
    waiting = iter(rows)
    failures: list[Exception] = []

    async def work() -> None:
        for row in waiting:
            if failures:
                return
            try:
                finished.add(await ask(api, row, settings, f"{path} line {row.line}"))
            except (UserError, ServiceFailed) as error:
                failures.append(error)
            else:
                tick()

    async with async_client(settings) as api:
        await asyncio.gather(*(work() for _ in range(settings.concurrency)))
    if failures:
        raise failures[0]


def _about(file: ChatRows) -> dict[str, Any]:
    return {
        "file": file.path.name,
        "sha256": sha256_file(file.path),
        "digest": file.digest,
        "rows": len(file.rows),
    }


def _head(asked: dict[str, Any], about: dict[str, Any]) -> dict[str, Any]:
    return {"schema_version": 1, "asked": asked, "data": about}


def _recorded(folder: Path, asked: dict[str, Any], about: dict[str, Any]) -> bool:
    """Whether the folder holds this very recording, whole. Raises UserError if it holds another one."""
    try:
        before = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        same = before["asked"] == asked
    except FileNotFoundError:
        return False
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{folder / RECORD} cannot be read; move it away to record anew: {error}") from error
    if not same:
        raise UserError(f"{folder} holds the answers of {before['asked']}; give another --save-to")
    return (folder / ANSWERS).is_file() and before.get("data") == about


def _write(folder: Path, rows: Sequence[ChatRow], answers: dict[str, Answer]) -> None:
    # A record of other answers must not stand beside these.
    (folder / RECORD).unlink(missing_ok=True)
    write_answers(
        folder / ANSWERS,
        rows,
        {name: answer.answer for name, answer in answers.items()},
        finish_reason={name: answer.finish_reason for name, answer in answers.items()},
        tokens_out={name: answer.tokens_out for name, answer in answers.items()},
    )


def _summary(answers: dict[str, Answer]) -> dict[str, Any]:
    given = list(answers.values())
    return {
        "first_answer_at": min(answer.at for answer in given),
        "last_answer_at": max(answer.at for answer in given),
        "answered_by": dict(Counter(answer.model for answer in given)),
        "system_fingerprints": dict(Counter(str(answer.fingerprint) for answer in given)),
        "finish_reasons": dict(Counter(answer.finish_reason for answer in given)),
        "tokens": {
            "prompt": sum(answer.tokens_in or 0 for answer in given),
            "completion": sum(answer.tokens_out or 0 for answer in given),
        },
    }


def _tell(folder: Path, answers: dict[str, Answer], console: Console) -> None:
    reasons = Counter(answer.finish_reason for answer in answers.values())
    for reason, words in (
        ("length", "cut off at --max-tokens"),
        ("content_filter", "stopped by the service's content filter, and kept as they came"),
        ("refusal", "refused by the model; the refusal is kept as the answer"),
    ):
        if reasons[reason]:
            console.print(f"warning: {counted(reasons[reason], 'answer')} {words}", markup=False)
    console.print(f"{folder}: {counted(len(answers), 'answer')} recorded", markup=False)
