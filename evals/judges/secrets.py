"""Keys of judges: where they come from, and that they stay there.

A server may echo a key in its error message, and a library in its exception.
Whatever a judge or its transport says therefore passes through `masked` before
it is stored, reported or printed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from pydantic import SecretStr

from fixtures.contracts.errors import UserError

__all__ = ["for_one_server", "masked", "read_key"]

_NAMES = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)", re.IGNORECASE)
_SHORTEST = 8
"""Shorter values, like Ollama's customary key "ollama", are words of the language."""
_from_files: set[str] = set()


def read_key(path: Path | None, variable: str, option: str = "--judge-key-file") -> SecretStr | None:
    """The key in file ``path`` of ``option``, else in environment ``variable``, else None. Raises UserError."""
    if path is None:
        value = os.environ.get(variable, "").strip()
        return SecretStr(value) if value else None
    try:
        value = path.read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{option} {path}: {getattr(error, 'strerror', None) or 'not UTF-8'}") from error
    if not value or len(value.split()) > 1 or not value.isprintable():
        raise UserError(f"{option} {path}: must hold one key and nothing else")
    _from_files.add(value)
    return SecretStr(value)


def for_one_server(servers: Iterable[tuple[str, str]], path: Path | None, variable: str, *, who: str) -> None:
    """Raise UserError if one key would go to several servers; one of them is not its owner's.

    ``servers``: kind and URL of each that ``who`` names. A key in a file is for
    all kinds; one in ``variable`` for endpoints, since OpenAI's has its own.
    """
    receivers = {url or kind for kind, url in servers if kind == "endpoint" or (kind == "openai" and path is not None)}
    if len(receivers) > 1 and (path is not None or os.environ.get(variable, "").strip()):
        raise UserError(
            f"one key for {who}, and {len(receivers)} servers that would get it: {', '.join(sorted(receivers))}"
        )


def masked(text: str) -> str:
    """``text`` without any key read from a file or standing in the environment."""
    secrets = {value for name, value in os.environ.items() if _NAMES.search(name)} | _from_files
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, "***")
    return text
