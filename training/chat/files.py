"""Conversations from a JSON Lines file, and everything that is wrong with it at once."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fixtures.contracts.errors import UserError
from fixtures.contracts.files import encodable, sha256_text
from training.chat.faults import Fault
from training.chat.turns import faults_of_tools, faults_of_turns

__all__ = ["ChatFile", "Conversation", "read_chat_file"]


@dataclass(frozen=True, slots=True)
class Conversation:
    """One usable row. ``digest`` tells whether two are the same; keys besides messages and tools do not matter."""

    line: int
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] | None
    digest: str


@dataclass(frozen=True)
class ChatFile:
    """What a file holds: ``rows`` lines with something in them, of which the conversations can be used."""

    path: Path
    rows: int
    conversations: list[Conversation]
    faults: list[Fault]

    @property
    def digest(self) -> str:
        """One digest of all usable rows, in their order."""
        return sha256_text("\n".join(conversation.digest for conversation in self.conversations))

    @property
    def errors(self) -> list[Fault]:
        """The faults that make a row, or the file, unusable."""
        return [fault for fault in self.faults if not fault.warning]


def read_chat_file(path: Path) -> ChatFile:
    """Read a file of conversations; faults are collected, not raised.

    A byte-order mark, blank lines and a last line without newline are fine.
    Raises UserError only when the file cannot be read at all.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    conversations: list[Conversation] = []
    faults: list[Fault] = []
    rows = 0
    for line, raw in enumerate(data.removeprefix(codecs.BOM_UTF8).split(b"\n"), 1):
        if not raw.strip():
            continue
        rows += 1
        row = _parsed(raw)
        found = [Fault(line, row)] if isinstance(row, str) else list(_faults_of(row, line))
        faults += found
        if isinstance(row, dict) and all(fault.warning for fault in found):
            conversations.append(_conversation(row, line))
    if not rows:
        faults.append(Fault(None, "the file is empty"))
    return ChatFile(path, rows, conversations, faults + _repeated(conversations))


def _parsed(raw: bytes) -> dict[str, Any] | str:
    """The object in a line, or what is wrong with it."""
    try:
        row = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        return f"not UTF-8: byte 0x{raw[error.start]:02x} at position {error.start + 1}"
    except json.JSONDecodeError as error:
        return f"not JSON: {error.msg} at column {error.colno}"
    except (ValueError, RecursionError) as error:
        return f"not JSON that can be read: {error}"
    return row if isinstance(row, dict) else 'not an object with "messages"'


def _faults_of(row: dict[str, Any], line: int) -> Iterator[Fault]:
    if "messages" not in row:
        yield Fault(line, _other_form(row))
        return
    yield from (Fault(line, what) for what in faults_of_turns(row["messages"]))
    if row.get("tools") is not None:
        yield from (Fault(line, what) for what in faults_of_tools(row["tools"]))
    if row != _encodable(row):
        yield Fault(line, "holds half of a character (a lone surrogate), which becomes U+FFFD", warning=True)
    if isinstance(row["messages"], list) and any(
        isinstance(turn, dict) and turn.get("weight") == 0 for turn in row["messages"]
    ):
        yield Fault(line, 'a turn of "weight": 0 is learned like any other', warning=True)


def _other_form(row: dict[str, Any]) -> str:
    if "prompt" in row and "completion" in row:
        return (
            'the old form of prompt and completion; write {"messages": [{"role": "user", "content": PROMPT}, '
            '{"role": "assistant", "content": COMPLETION}]}'
        )
    if "conversations" in row:
        return (
            'the form of ShareGPT; write "messages" for "conversations", "role" for "from", "content" for "value", '
            "user for human, assistant for gpt"
        )
    return f'no "messages"; it has {", ".join(map(str, row))[:80] or "nothing"}'


def _encodable(row: dict[str, Any]) -> dict[str, Any]:
    """The row as tokenizers can take it, which reject lone surrogates."""
    clean: dict[str, Any] = json.loads(encodable(json.dumps(row, ensure_ascii=False)))
    return clean


def _conversation(row: dict[str, Any], line: int) -> Conversation:
    row = _encodable(row)
    messages = [_turn(turn) for turn in row["messages"]]
    tools = row.get("tools") or None
    same = json.dumps([messages, tools], sort_keys=True, ensure_ascii=True)
    return Conversation(line, messages, tools, sha256_text(same))


def _turn(turn: dict[str, Any]) -> dict[str, Any]:
    """A turn as chat templates want it: no content is empty content, arguments of calls are objects."""
    result = {**turn, "content": turn.get("content") or ""}
    if calls := turn.get("tool_calls"):
        result["tool_calls"] = [{**call, "function": _function(call["function"])} for call in calls]
    else:
        # A template may take an empty list for a call.
        result.pop("tool_calls", None)
    return result


def _function(function: dict[str, Any]) -> dict[str, Any]:
    arguments = function.get("arguments", {})
    return {**function, "arguments": json.loads(arguments or "{}") if isinstance(arguments, str) else arguments}


def _repeated(conversations: list[Conversation]) -> list[Fault]:
    seen: set[str] = set()
    faults = []
    for conversation in conversations:
        if conversation.digest in seen:
            faults.append(Fault(conversation.line, "the same as an earlier line", warning=True))
        seen.add(conversation.digest)
    return faults
