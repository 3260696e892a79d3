"""Prompts as rows that a candidate answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fixtures.contracts.errors import UserError
from fixtures.contracts.files import encodable, sha256_text
from fixtures.conversations.rows import NO_CATEGORY, ChatRow, rows_of

__all__ = ["read_prompts", "row_of", "with_system"]


def row_of(messages: Sequence[dict[str, Any]], number: int = 1) -> ChatRow:
    """A row without a reference that asks for the next turn of a conversation."""
    turns = tuple({**turn, "content": encodable(turn["content"])} for turn in messages)
    digest = sha256_text(json.dumps(turns))
    return ChatRow(f"prompt-{number}", NO_CATEGORY, turns, None, "", digest, number)


def read_prompts(path: Path) -> list[ChatRow]:
    """The rows of a file: conversations with their references, or a prompt a line.

    A file whose first line begins with a brace holds conversations. Raises UserError.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"cannot read --prompts {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"--prompts {path} is not UTF-8: {error.reason} at byte {error.start}") from error
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if not lines:
        raise UserError(f"--prompts {path} is empty")
    if lines[0].startswith("{"):
        return rows_of(path).rows
    return [row_of([{"role": "user", "content": line}], number) for number, line in enumerate(lines, 1)]


def with_system(rows: Iterable[ChatRow], system: str | None) -> list[ChatRow]:
    """``rows`` with another system turn; as they are for None."""
    if system is None:
        return list(rows)
    first = {"role": "system", "content": encodable(system)}
    changed = []
    for row in rows:
        turns = (first, *(turn for turn in row.messages if turn["role"] != "system"))
        changed.append(replace(row, messages=turns, digest=sha256_text(json.dumps([turns, row.digest]))))
    return changed
