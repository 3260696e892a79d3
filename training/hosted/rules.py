"""What OpenAI wants of a file of conversations, beyond what this project wants of it.

Source: OpenAI's guide "Supervised fine-tuning" and the API reference of the
training file's format.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fixtures.conversations.faults import Checked, Fault, counted
from fixtures.conversations.files import ChatFile, Conversation, read_chat_file
from fixtures.conversations.turns import faults_of_weights
from training.hosted.tokens import Counter

__all__ = ["LEAST_EXAMPLES", "CheckedFile", "check_file"]

LEAST_EXAMPLES = 10
LARGEST_FILE = 512 * 2**20
"""Bytes that the Files API takes."""

_KEYS = {"parallel_tool_calls", "functions"}
"""Keys of a row besides messages and tools."""


@dataclass(frozen=True)
class CheckedFile:
    """A file, its faults by both rules, and the tokens of its usable conversations, in order."""

    file: ChatFile
    faults: list[Fault]
    tokens: list[int]

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.file.path

    @property
    def checked(self) -> Checked:
        """What is to be told of it."""
        return Checked(self.path, self.file.rows, self.faults)


def check_file(path: Path, *, counter: Counter, max_tokens: int, to_learn: bool) -> CheckedFile:
    """Read a file and find all its faults. ``to_learn``: a train file, which needs a least number of examples.

    Raises UserError only when the file cannot be read at all.
    """
    file = read_chat_file(path)
    faults = list(file.faults)
    tokens = [counter.of(conversation) for conversation in file.conversations]
    for conversation, length in zip(file.conversations, tokens, strict=True):
        faults += _of_row(conversation)
        if length > max_tokens:
            # Numbers would make each line its own kind of fault.
            what = f"longer than {max_tokens:,} tokens: its end is cut off"
            faults.append(Fault(conversation.line, what, warning=True))
    if to_learn and 0 < file.rows < LEAST_EXAMPLES:
        faults.append(Fault(None, f"{counted(file.rows, 'example')}; at least {LEAST_EXAMPLES} are needed"))
    if (size := path.stat().st_size) > LARGEST_FILE:
        faults.append(Fault(None, f"{size / 2**20:,.0f} MiB; 512 MiB are the most that is taken"))
    return CheckedFile(file, faults, tokens)


def _of_row(conversation: Conversation) -> Iterator[Fault]:
    yield from (Fault(conversation.line, what) for what in faults_of_weights(conversation.messages))
    if unknown := sorted(set(conversation.others) - _KEYS):
        what = f"{', '.join(unknown)[:60]}: not of OpenAI's format, which may refuse it"
        yield Fault(conversation.line, what, warning=True)
