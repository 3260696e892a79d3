"""The JSON that ``knit plan apply`` posts, with what it cannot put into JSON refused.

Tags, labels and the image are written between quotes as they are, unescaped:
a double quote breaks the request, ``\\n`` in a text becomes a line break.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fixtures.contracts.files import encodable
from plans.knitfab.refusals import CliRefused, Path

__all__ = ["request_of"]


def request_of(read: Mapping[str, Any], line: Callable[[Path], int]) -> dict[str, Any]:
    """The body that is posted for what was ``read`` from a file, keys in knit's order.

    ``line`` tells the line of a path in the file. Raises CliRefused for texts
    that knit cannot send.
    """

    def texts(values: Sequence[object] | None, kind: str, path: Path) -> list[str] | None:
        if values is None:
            return None
        return [_sent(str(value), kind, line((*path, position))) for position, value in enumerate(values)]

    def mounts(key: str) -> list[dict[str, Any]] | None:
        if read.get(key) is None:
            return None
        return [
            {"path": mount.get("path", ""), "tags": texts(mount.get("tags"), "tags.Tag", (key, position, "tags"))}
            for position, mount in enumerate(read[key])
        ]

    request: dict[str, Any] = {}
    if annotations := read.get("annotations"):
        request["annotations"] = sorted(annotations, key=lambda annotation: annotation.partition("=")[::2])
    request["image"] = _sent(read.get("image", ""), "plans.Image", line(("image",)))
    request |= {key: read[key] for key in ("entrypoint", "args") if read.get(key)}
    request |= {key: mounts(key) for key in ("inputs", "outputs")}
    if "log" in read:
        request["log"] = {"tags": texts(read["log"].get("tags"), "tags.Tag", ("log", "tags"))}
    if "on_node" in read:
        request["on_node"] = {
            mode: texts(labels, "plans.OnSpecLabel", ("on_node", mode))
            for mode in ("may", "prefer", "must")
            if (labels := read["on_node"].get(mode))
        }
    request |= {key: read[key] for key in ("resources", "service_account") if read.get(key)}
    request["active"] = read.get("active")
    return request


def _sent(text: str, kind: str, line: int) -> str:
    """``text`` after its way through JSON, in which knit writes it between quotes as it is."""
    try:
        return encodable(json.loads(f'"{text}"'))
    except json.JSONDecodeError as error:
        message = f"json: error calling MarshalJSON for type {kind}: {_complaint(text)}"
        raise CliRefused(f"failed to apply Plan: {message}", "not-sendable", line) from error


def _complaint(text: str) -> str:
    """What Go's JSON says of ``text`` between quotes, which is no JSON."""
    match = re.match(r'(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*', text)
    rest = text[match.end() if match else 0 :] + '"'
    if rest[0] == '"':
        following = (rest[1:] or '"').lstrip()[0]
        return f"invalid character '{following}' after top-level value"
    if rest[0] == "\\":
        return f"invalid character '{rest[1]}' in string escape code"
    return f"invalid character {rest[0]!a} in string literal"
