"""``hosted upload``: each file once, however often it is asked for.

What was uploaded where is kept in ``uploads.json``, by the file's digest. The
service has the last word: a file that was deleted there, or belongs to another
project, is uploaded again.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from fixtures.contracts.errors import UserError
from fixtures.contracts.files import sha256_file, write_json
from fixtures.conversations.faults import in_words, refuse_errors
from fixtures.conversations.lines import refuse_unreadable
from training.hosted.api import ServiceFailed, address, client, explained, whole
from training.hosted.rules import LEAST_EXAMPLES, check_file
from training.hosted.settings import ServiceSettings, UploadSettings
from training.hosted.tokens import token_counter

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types import FileObject

__all__ = ["Uploaded", "upload", "upload_files"]

UPLOADS = "uploads.json"
_LOOK = 0.5
"""Seconds between two looks at a file that is being processed."""

Uploaded = dict[str, Any]
"""``id``, ``file``, ``sha256``, ``bytes``, ``base_url``, ``uploaded_at``."""


def upload(settings: UploadSettings, console: Console) -> None:
    """Check all files, then upload those that are not there yet, and print their ids."""
    upload_files(client(settings), list(settings.files), settings, console, max_tokens=settings.max_tokens)


def upload_files(
    api: OpenAI, paths: list[Path], settings: ServiceSettings, console: Console, *, max_tokens: int, least: bool = False
) -> list[Uploaded]:
    """The files as they lie at the service, in order. ``least``: the first is a train file.

    Raises UserError with all faults of all files before any is uploaded.
    """
    refuse_unreadable(paths)
    counter = token_counter()
    checked = [
        check_file(path, counter=counter, max_tokens=max_tokens, to_learn=least and number == 0)
        for number, path in enumerate(paths)
    ]
    refuse_errors([one.checked for one in checked])
    for file in checked:
        for line in in_words(file.faults, complete=False):
            console.print(f"{file.path}: {line}", markup=False)
        if not least and file.file.rows < LEAST_EXAMPLES:
            console.print(f"{file.path}: {file.file.rows} rows; a train file needs {LEAST_EXAMPLES}", markup=False)
    return [_uploaded(api, path, settings, console) for path in paths]


def _uploaded(api: OpenAI, path: Path, settings: ServiceSettings, console: Console) -> Uploaded:
    from openai.types import FileObject

    digest, place = sha256_file(path), address(settings)
    book = settings.save_to / UPLOADS
    entries = _read(book)
    known = next((entry for entry in entries if entry["sha256"] == digest and entry["base_url"] == place), None)
    if known is not None and _still_there(api, known):
        console.print(f"{path}: {known['id']}, uploaded {known['uploaded_at']}", markup=False)
        return known
    with explained(f"cannot upload {path}"), path.open("rb") as content:
        about = whole(api.files.create(file=(path.name, content), purpose="fine-tune"), FileObject)
    if about.status not in ("processed", "error"):
        about = _processed(api, about.id, settings.timeout_seconds)
    if about.status == "error":
        raise UserError(f"{path}: the service refuses {about.id}: {about.status_details or 'it does not say why'}")
    size = path.stat().st_size
    if about.bytes and about.bytes != size:
        raise ServiceFailed(f"{path}: {about.bytes:,} of {size:,} bytes arrived as {about.id}; try again")
    entry = {
        "id": about.id,
        "file": str(path),
        "sha256": digest,
        "bytes": size,
        "base_url": place,
        "uploaded_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    console.print(f"{path}: {about.id}, {size:,} bytes uploaded", markup=False)
    write_json(book, [*(other for other in entries if other is not known), entry])
    return entry


def _processed(api: OpenAI, name: str, patience: float) -> FileObject:
    """The file once it is no longer being looked through, which takes a while at Azure."""
    with explained(f"cannot look at {name}"):
        try:
            return api.files.wait_for_processing(name, poll_interval=_LOOK, max_wait_seconds=patience)
        except RuntimeError as error:
            raise ServiceFailed(f"{name} is still not processed after {patience:g} s; try again later") from error


def _still_there(api: OpenAI, entry: Uploaded) -> bool:
    from openai import NotFoundError

    with explained(f"cannot look at {entry['id']}"):
        try:
            return api.files.retrieve(entry["id"]).status != "error"
        except NotFoundError:
            return False


def _read(book: Path) -> list[Uploaded]:
    try:
        entries = json.loads(book.read_text(encoding="utf-8")) if book.exists() else []
        return [{**entry, "sha256": entry["sha256"], "base_url": entry["base_url"]} for entry in entries]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{book} cannot be read; delete it to upload anew: {error}") from error
