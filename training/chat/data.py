"""The conversations to learn and those to choose on, checked as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from fixtures.contracts.errors import UserError
from fixtures.conversations.faults import Fault, counted, in_words
from fixtures.conversations.files import ChatFile, Conversation, read_chat_file
from training.chat.cutting import Cut, cut
from training.chat.settings import ChatSettings
from training.chat.templates import ChatTemplate
from training.chat.tokens import Encoded, Row, encode
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
        later = found or [()] * len(self.files)
        faults = [[*file.faults, *more] for file, more in zip(self.files, later, strict=True)]
        if all(fault.warning for of_file in faults for fault in of_file):
            return
        lines = []
        for file, of_file in zip(self.files, faults, strict=True):
            wrong = {fault.line for fault in of_file if not fault.warning and fault.line}
            lines.append(f"{file.path}: {counted(len(wrong), 'row')} of {file.rows:,} cannot be used")
            lines += (f"  {line}" for line in in_words(of_file))
        raise UserError("\n".join([*lines, also]).rstrip())


@dataclass(frozen=True)
class ChatData:
    """Both parts as the model reads them."""

    train: Cut
    validation: Cut


def read_sources(settings: ChatSettings) -> Sources:
    """Read the files. Their faults are in them; UserError only for one that cannot be read, or not be parted."""
    paths = [path for path in (settings.train_file, settings.eval_file) if path is not None]
    files = [read_chat_file(path) for path in paths]
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
    for file, faults in zip(sources.files, found, strict=True):
        console.print(f"{file.path}: {counted(file.rows, 'conversation')}", markup=False)
        for line in in_words([*file.faults, *faults], complete=settings.check_only):
            console.print(f"  {line}", markup=False)
    for part in encoded:
        _refuse_strange_tokens(base, part.rows)
    _show(parts, max_length, console)
    for name, whole, left in zip(("train", "validation"), encoded, parts, strict=True):
        _warn_of_losses(name, whole, left, console)
    for name, left in zip(("train", "validation"), parts, strict=True):
        if not left.rows:
            raise UserError(
                f"nothing to learn is left of the {name} part within {counted(max_length, 'token')}; raise --max-length"
            )
    return ChatData(*parts)


def _with_overlap(train: ChatFile, other: ChatFile) -> ChatFile:
    known = {conversation.digest for conversation in train.conversations}
    faults = [
        Fault(conversation.line, f"also in {train.path}: says nothing about unseen conversations", warning=True)
        for conversation in other.conversations
        if conversation.digest in known
    ]
    return ChatFile(other.path, other.rows, other.conversations, other.faults + faults)


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


def _refuse_strange_tokens(base: LanguageModel, rows: list[Row]) -> None:
    known = base.config.get_text_config().vocab_size
    strange = max((max(row.ids) for row in rows if row.ids), default=0)
    if strange >= known:
        raise UserError(
            f"the tokenizer of {base.name} gives token {strange} ({base.tokenizer.convert_ids_to_tokens(strange)!r}), "
            f"but its model knows {known:,} tokens only: they do not belong together"
        )


def _show(parts: list[Cut], max_length: int, console: Console) -> None:
    table = Table(title="tokens of a conversation", box=SIMPLE_HEAD)
    for heading in ("", "rows", "min", "median", "p90", "max", f"over {max_length:,}", "in all", "to learn"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for name, part in zip(("train", "validation"), parts, strict=True):
        size = part.lengths
        figures = (size.conversations, size.shortest, size.median, size.p90, size.longest, len(part.faults))
        table.add_row(name, *(f"{figure:,}" for figure in (*figures, part.tokens, part.learned)))
    console.print(table)


def _warn_of_losses(name: str, encoded: Encoded, part: Cut, console: Console) -> None:
    if part.tokens_lost:
        share = part.tokens_lost / part.lengths.tokens
        console.print(f"{name}: {counted(part.tokens_lost, 'token')} cut off, {share:.1%} of all", markup=False)
    if encoded.lost:
        most = [character for character, _ in encoded.lost.most_common(6)]
        shown = ", ".join([*most[:5], *(["..."] if len(most) > 5 else [])])
        console.print(
            f"{name}: warning: the tokenizer does not know {encoded.share_lost:.1%} of the characters ({shown}); "
            "the model will never see them",
            markup=False,
        )
