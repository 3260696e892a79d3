"""The conversations to learn and those to choose on, checked as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from fixtures.contracts.errors import UserError
from fixtures.conversations.faults import Checked, Fault, counted, refuse_errors
from fixtures.conversations.files import ChatFile, Conversation, read_chat_file
from fixtures.conversations.lines import refuse_unreadable
from fixtures.conversations.turns import faults_of_weights
from training.causal.reporting import nothing_left, tell_of_lost_characters, tell_warnings
from training.causal.templates import ChatTemplate
from training.causal.tokens import refuse_strange_tokens
from training.chat.cutting import Cut, cut
from training.chat.settings import ChatSettings
from training.chat.tokens import Encoded, encode
from training.language_models import LanguageModel

__all__ = ["ChatData", "Sources", "prepare", "read_sources"]


@dataclass(frozen=True)
class Sources:
    """The usable conversations of both parts, and the files they come from: one file, or two."""

    files: list[ChatFile]
    train: list[Conversation]
    validation: list[Conversation]

    @property
    def texts(self) -> list[str]:
        """What is said in the train part."""
        return [turn["content"] for conversation in self.train for turn in conversation.messages]

    def refuse_errors(self, found: Sequence[Sequence[Fault]] = (), also: str = "") -> None:
        """Raise UserError with all that is wrong if a row, or a file, is unusable.

        ``found`` has what was found since they were read, file by file; ``also``
        is a last line.
        """
        refuse_errors(self.checked(found), also)

    def checked(self, found: Sequence[Sequence[Fault]] = ()) -> list[Checked]:
        """The files with their faults, and with those ``found`` since they were read."""
        later = found or [()] * len(self.files)
        return [
            Checked(file.path, file.rows, [*file.faults, *more]) for file, more in zip(self.files, later, strict=True)
        ]


@dataclass(frozen=True)
class ChatData:
    """Both parts as the model reads them."""

    train: Cut
    validation: Cut


def read_sources(settings: ChatSettings) -> Sources:
    """Read the files. Their faults are in them; UserError only for one that cannot be read, or not be parted."""
    paths = [path for path in (settings.train_file, settings.eval_file) if path is not None]
    refuse_unreadable(paths)
    files = [_with_weights_checked(read_chat_file(path)) for path in paths]
    if len(files) == 1:
        return Sources(files, *_split(files[0], settings.validation_share, settings.seed))
    files[1] = _with_overlap(*files)
    return Sources(files, files[0].conversations, files[1].conversations)


def prepare(
    sources: Sources,
    base: LanguageModel,
    template: ChatTemplate,
    *,
    settings: ChatSettings,
    max_length: int,
    console: Console,
) -> ChatData:
    """Tokenize and cut both parts, and print how long they are and what was lost.

    Raises UserError with every fault of both files, for a tokenizer that does
    not belong to its model, and when nothing is left.
    """
    if not base.tokenizer.is_fast:
        raise UserError(f"the tokenizer of {base.name} does not tell which characters a token stands for")
    wanted = (sources.train, sources.validation)
    encoded = [encode(base.tokenizer, template, part, settings.loss_on) for part in wanted]
    parts = [cut(part.rows, max_length) for part in encoded]
    found = [[*whole.faults, *left.faults] for whole, left in zip(encoded, parts, strict=True)]
    # Both parts may be of one file.
    found = found if len(sources.files) == 2 else [found[0] + found[1]]
    sources.refuse_errors(found)
    tell_warnings(sources.checked(found), "conversation", console, complete=settings.check_only)
    refuse_strange_tokens(base, (row.ids for part in encoded for row in part.rows))
    _show(parts, max_length, console)
    for name, whole, left in zip(("train", "validation"), encoded, parts, strict=True):
        _warn_of_losses(name, whole, left, console)
    for name, left in zip(("train", "validation"), parts, strict=True):
        if not left.rows:
            raise nothing_left(name, max_length, base)
    return ChatData(*parts)


def _with_weights_checked(file: ChatFile) -> ChatFile:
    faults = [Fault(one.line, what) for one in file.conversations for what in faults_of_weights(one.messages)]
    wrong = {fault.line for fault in faults}
    usable = [conversation for conversation in file.conversations if conversation.line not in wrong]
    return replace(file, conversations=usable, faults=file.faults + faults)


def _with_overlap(train: ChatFile, other: ChatFile) -> ChatFile:
    known = {conversation.digest for conversation in train.conversations}
    faults = [
        Fault(conversation.line, f"also in {train.path}: says nothing about unseen conversations", warning=True)
        for conversation in other.conversations
        if conversation.digest in known
    ]
    return replace(other, faults=other.faults + faults)


def _split(file: ChatFile, share: float, seed: int) -> tuple[list[Conversation], list[Conversation]]:
    """Part of the distinct conversations, so that none is on both sides."""
    distinct = list(dict.fromkeys(conversation.digest for conversation in file.conversations))
    count = max(1, round(len(distinct) * share))
    if len(distinct) <= count and not file.errors:
        raise UserError(
            f"{file.path}: {counted(len(distinct), 'distinct conversation')} cannot be parted into one to learn and "
            "one to choose on; give an --eval-file"
        )
    chosen = {distinct[place] for place in np.random.default_rng(seed).permutation(len(distinct))[:count]}
    return (
        [conversation for conversation in file.conversations if conversation.digest not in chosen],
        [conversation for conversation in file.conversations if conversation.digest in chosen],
    )


def _show(parts: list[Cut], max_length: int, console: Console) -> None:
    table = Table(title="tokens of a conversation", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("", "rows", "min", "median", "p90", "max", f"over {max_length:,}", "in all", "to learn"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for name, part in zip(("train", "validation"), parts, strict=True):
        size = part.lengths
        figures = (size.texts, size.shortest, size.median, size.p90, size.longest, len(part.faults))
        table.add_row(name, *(f"{figure:,}" for figure in (*figures, part.tokens, part.learned)))
    console.print(table)


def _warn_of_losses(name: str, encoded: Encoded, part: Cut, console: Console) -> None:
    if part.tokens_lost:
        share = part.tokens_lost / part.lengths.tokens
        console.print(f"{name}: {counted(part.tokens_lost, 'token')} cut off, {share:.1%} of all", markup=False)
    tell_of_lost_characters(name, encoded.losses, console)
