"""The documents to learn and those to choose on, checked as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from fixtures.contracts.errors import UserError
from fixtures.contracts.files import sha256_text
from fixtures.conversations.faults import Checked, Fault, counted, refuse_errors
from fixtures.conversations.lines import refuse_unreadable
from training.causal.reporting import lengths, tell_of_lost_characters, tell_warnings
from training.causal.tokens import refuse_strange_tokens
from training.language_models import LanguageModel
from training.pretrain.documents import Document, TextFile, find_files, read_documents
from training.pretrain.pieces import Part, in_pieces
from training.pretrain.settings import PretrainSettings

__all__ = ["Sources", "digest_of", "prepare", "read_sources"]


@dataclass(frozen=True)
class Sources:
    """The distinct documents of both parts, and the files they come from."""

    files: list[TextFile]
    train: list[Document]
    validation: list[Document]

    def checked(self, parts: Sequence[Part] = ()) -> list[Checked]:
        """The files with their faults, and with those that were found in making tokens of them."""
        later = {digest: faults for part in parts for digest, faults in part.faults.items()}
        return [
            replace(
                file.checked(),
                faults=[*file.faults, *(fault for one in file.documents for fault in later.get(one.digest, ()))],
            )
            for file in self.files
        ]


def read_sources(settings: PretrainSettings, console: Console) -> Sources:
    """Read the files; copies of a document are left out, so that none is learned twice or chosen on.

    Their faults are in them. Raises UserError for files that cannot be read, or
    not be parted.
    """
    found = [find_files(names) for names in (settings.train_files, settings.eval_files)]
    refuse_unreadable(path for paths, _ in found for path in paths)
    for note in (note for _, notes in found for note in notes):
        console.print(f"note: {note}", markup=False)
    seen: dict[str, str] = {}
    parts = [[_distinct(read_documents(path, settings.text_key), seen) for path in paths] for paths, _ in found]
    train, validation = ([one for file in files for one in file.documents] for files in parts)
    files = [file for part in parts for file in part]
    if not settings.eval_files and all(fault.warning for file in files for fault in file.faults):
        count = max(1, round(len(train) * settings.validation_share))
        if len(train) <= count:
            tell_warnings([file.checked() for file in files], "document", console, complete=settings.check_only)
            raise UserError(
                f"{counted(len(train), 'distinct document')} cannot be parted into one to learn and one to choose on; "
                "give --eval-files"
            )
        train, validation = _split(train, count, settings.seed)
    return Sources(files, train, validation)


def prepare(
    sources: Sources, base: LanguageModel, *, settings: PretrainSettings, max_length: int, console: Console
) -> tuple[Part, Part]:
    """Tokenize both parts, and print how long documents are and what gets lost.

    Raises UserError with every fault of all files, and when nothing is left.
    """
    refuse_errors(sources.checked())
    for name, documents in (("--train-files", sources.train), ("--eval-files", sources.validation)):
        if not documents:
            tell_warnings(sources.checked(), "document", console, complete=settings.check_only)
            raise UserError(f"{name}: no document is left")
    parts = [in_pieces(base.tokenizer, documents, max_length) for documents in (sources.train, sources.validation)]
    refuse_strange_tokens(base, (row.ids for part in parts for row in part.rows))
    tell_warnings(_worth_telling(sources.checked(parts), settings), "document", console, complete=settings.check_only)
    _show(parts, max_length, console)
    for name, part in zip(("train", "validation"), parts, strict=True):
        tell_of_lost_characters(name, part.losses, console)
    return parts[0], parts[1]


def digest_of(documents: Sequence[Document]) -> str:
    """One digest of documents in their order."""
    return sha256_text("\n".join(document.digest for document in documents))


def _distinct(file: TextFile, seen: dict[str, str]) -> TextFile:
    """The file without documents that were ``seen`` before; ``seen`` learns of the others."""
    kept: list[Document] = []
    for document in file.documents:
        place = seen.get(document.digest)
        if place is None:
            seen[document.digest] = str(file.path)
            kept.append(document)
            continue
        earlier = "an earlier one" if place == str(file.path) else f"one in {place}"
        file.faults.append(Fault(document.line, f"the same document as {earlier}; left out", warning=True))
    file.documents = kept
    return file


def _split(documents: list[Document], count: int, seed: int) -> tuple[list[Document], list[Document]]:
    chosen = set(np.random.default_rng(seed).permutation(len(documents))[:count].tolist())
    return (
        [document for place, document in enumerate(documents) if place not in chosen],
        [document for place, document in enumerate(documents) if place in chosen],
    )


FEW = 20
"""Files that are each told of; of more, only those with something wrong."""


def _worth_telling(files: list[Checked], settings: PretrainSettings) -> list[Checked]:
    if settings.check_only or len(files) <= FEW:
        return files
    return [file for file in files if file.faults]


def _show(parts: Sequence[Part], max_length: int, console: Console) -> None:
    table = Table(title="tokens of a document", box=SIMPLE_HEAD)
    for heading in ("", "documents", "median", "p90", "max", "pieces", "bytes", "to learn"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for name, part in zip(("train", "validation"), parts, strict=True):
        size = lengths(part.sizes)
        figures = (size.texts, size.median, size.p90, size.longest, len(part.rows), part.size)
        table.add_row(name, *(f"{figure:,}" for figure in (*figures, part.learned)))
    console.print(table)
    parted = sum(size > max_length for part in parts for size in part.sizes)
    if parted:
        console.print(
            f"{counted(parted, 'document')} longer than {max_length:,} tokens parted into pieces; nothing is cut off"
        )
