"""Documents from files and folders of text, and everything that is wrong with them at once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fixtures.contracts.errors import UserError
from fixtures.contracts.files import encodable, sha256_text
from fixtures.conversations.faults import Checked, Fault, counted
from fixtures.conversations.lines import json_lines, read_file

__all__ = ["Document", "TextFile", "find_files", "read_documents"]

JSON_LINES = (".jsonl", ".ndjson")
PLAIN = (".txt", ".text", ".md")


@dataclass(frozen=True, slots=True)
class Document:
    """One text. ``line`` is where it begins in its file, ``digest`` tells whether two are the same."""

    line: int
    text: str
    digest: str


@dataclass
class TextFile:
    """A file, so many documents in it, those of them that can be used, and what is wrong."""

    path: Path
    rows: int = 0
    documents: list[Document] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def checked(self) -> Checked:
        """What is to be told of the file."""
        return Checked(self.path, self.rows, self.faults, noun="document")


def find_files(names: Sequence[str]) -> tuple[list[Path], list[str]]:
    """The files called ``names``, and those in folders of that name, in a fixed order; and what was left out there.

    Raises UserError for a name that is nothing, and for a folder without text.
    """
    files: list[Path] = []
    notes: list[str] = []
    for name in names:
        path = Path(name)
        if not path.is_dir():
            files.append(path)
            continue
        inside = [
            one
            for one in sorted(path.rglob("*"))
            if one.is_file() and not any(part.startswith(".") for part in one.relative_to(path).parts)
        ]
        texts = [one for one in inside if one.suffix.lower() in (*JSON_LINES, *PLAIN)]
        if not texts:
            raise UserError(f"folder {name} holds no text: no {', '.join((*PLAIN, *JSON_LINES))} file")
        files += texts
        others = Counter(one.suffix.lower() or "no ending" for one in inside if one not in set(texts))
        if others:
            kinds = ", ".join(sorted(others))
            notes.append(f"{name}: {counted(others.total(), 'file')} of other kinds left out ({kinds})")
    return list(dict.fromkeys(files)), notes


def read_documents(path: Path, text_key: str) -> TextFile:
    """Read a file; faults are collected, not raised. An empty document is left out.

    Raises UserError only when the file cannot be read at all.
    """
    file = TextFile(path)
    if path.suffix.lower() in JSON_LINES:
        for line, row in json_lines(path, f'"{text_key}"'):
            file.rows += 1
            if isinstance(row, str):
                file.faults.append(Fault(line, row))
            elif not isinstance(text := row.get(text_key), str):
                file.faults.append(Fault(line, _no_text(row, text_key)))
            else:
                _take(file, line, text)
        if not file.rows:
            file.faults.append(Fault(None, "the file is empty"))
    else:
        file.rows = 1
        _read_plain(file, read_file(path))
    return file


def _read_plain(file: TextFile, data: bytes) -> None:
    try:
        text = data.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        hint = " (it looks like UTF-16)" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
        file.faults.append(Fault(line, f"not UTF-8: byte 0x{data[error.start]:02x}{hint}"))
    else:
        _take(file, 1, text)


def _take(file: TextFile, line: int, text: str) -> None:
    clean = encodable(text)
    if "\x00" in text:
        file.faults.append(Fault(line, "holds NUL characters: this is no text"))
    elif not text.strip():
        file.faults.append(Fault(line, "empty; left out", warning=True))
    else:
        if clean != text:
            what = "holds half of a character (a lone surrogate), which becomes U+FFFD"
            file.faults.append(Fault(line, what, warning=True))
        file.documents.append(Document(line, clean, sha256_text(clean)))


def _no_text(row: dict[str, object], key: str) -> str:
    if key in row:
        return f'"{key}" is not text but {json.dumps(row[key])[:40]}'
    return f'no "{key}"; it has {", ".join(map(str, row))[:80] or "nothing"} (see --text-key)'
