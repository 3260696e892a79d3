"""A result file as CSV: the API sends it in base64, or as it is, and now and then not all of it."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, NamedTuple

from training.hosted.api import ServiceFailed, explained

if TYPE_CHECKING:
    from openai import OpenAI

__all__ = ["Downloaded", "download"]

_TRIES = 3


class Downloaded(NamedTuple):
    """The file's bytes, and what is strange about them, if anything is."""

    data: bytes
    note: str | None


def download(api: OpenAI, file: str) -> Downloaded:
    """The content of a result file, decoded.

    Raises ServiceFailed if it came cut off each time. A size that is not the
    one the API states may mean either, and is noted.
    """
    with explained(f"cannot look at result file {file}"):
        size = api.files.retrieve(file).bytes
    data = None
    for _ in range(_TRIES):
        with explained(f"cannot download result file {file}"):
            raw = api.files.content(file).content
        data = _decoded(raw)
        if data is not None and size in (len(raw), len(data)):
            return Downloaded(data, None)
    if data is None:
        raise ServiceFailed(f"result file {file} came cut off {_TRIES} times; try again later")
    return Downloaded(data, f"{len(data):,} bytes came, of {size:,} that the API states: its end may be missing")


def _decoded(raw: bytes) -> bytes | None:
    """None for base64 that was cut off. A table has commas, and base64 has none."""
    if b"," in raw:
        return raw
    try:
        return base64.b64decode(b"".join(raw.split()), validate=True)
    except binascii.Error:
        return None
