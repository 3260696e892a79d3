"""Rows read from the pages of a database file, whatever became of the rest.

SQLite finds a row from above, through the pages that list other pages; if one
of those is lost, so are the thousands of rows below it. But each page of rows
can be read by itself. What is found this way may be anything: the caller checks.

Source: https://www.sqlite.org/fileformat2.html, which promises that the format
will not change; sections 1.2 (page size), 1.5 and 1.6 (cells and overflow), 2.1
(records) and 4.1 (the log).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, BinaryIO

__all__ = ["rows_in"]

_TABLE_LEAF = 0x0D
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


def rows_in(database: Path, log: Path) -> Iterator[list[Any]]:
    """The values of every row in the pages of both files; texts come as bytes.

    Some rows may come more than once, and removed ones may, too.
    """
    with ExitStack() as stack:
        pages = _Pages(*(stack.enter_context(path.open("rb")) if path.exists() else None for path in (database, log)))
        for page in pages:
            if page[:1] != bytes([_TABLE_LEAF]):
                continue
            for place in range(8, min(8 + 2 * int.from_bytes(page[3:5]), len(page)), 2):
                # Damage makes numbers point anywhere.
                with suppress(IndexError, struct.error):
                    yield _values(pages.payload(page, int.from_bytes(page[place : place + 2])))


class _Pages:
    """All pages of a database, those in its log included."""

    def __init__(self, database: BinaryIO | None, log: BinaryIO | None) -> None:
        self._database = database
        self._log = log
        header = database.read(100) if database else b""
        size = int.from_bytes(header[16:18])
        size = 65_536 if size == 1 else size
        # Ours have the size that SQLite chooses, if the header can tell no more.
        self._size = size if size.bit_count() == 1 and size >= 512 else 4096
        self._usable = self._size - (header[20] if len(header) == 100 and header[20] <= 32 else 0)
        self._total = sum(file.seek(0, os.SEEK_END) for file in (database, log) if file)
        self._logged: dict[int, int] = {}
        """Place in the log of the newest version of a page."""

    def __iter__(self) -> Iterator[bytes]:
        if self._log is not None:
            salts = self._read(self._log, 0, 32)[16:24]
            place = 32
            while len(frame := self._read(self._log, place, 24 + self._size)) > 24:
                # Frames with other salts were left over from before.
                if frame[8:16] == salts:
                    self._logged[int.from_bytes(frame[:4])] = place + 24
                    yield frame[24:]
                place += 24 + self._size
        number = 0
        while self._database is not None and (page := self._read(self._database, number * self._size, self._size)):
            yield page
            number += 1

    def payload(self, page: bytes, place: int) -> bytes:
        """The record that begins on ``page`` and may go on on others."""
        length, place = _varint(page, place)
        _, place = _varint(page, place)
        most, least = self._usable - 35, (self._usable - 12) * 32 // 255 - 23
        if length > self._total:
            raise IndexError(length)
        if length <= most:
            return page[place : place + length]
        here = least + (length - least) % (self._usable - 4)
        here = least if here > most else here
        parts = [page[place : place + here]]
        following, missing = int.from_bytes(page[place + here : place + here + 4]), length - here
        while missing > 0 and following:
            more = self._page(following)[: self._usable]
            if len(more) < 5:
                break
            parts.append(more[4 : 4 + missing])
            following, missing = int.from_bytes(more[:4]), missing - len(parts[-1])
        return b"".join(parts)

    def _page(self, number: int) -> bytes:
        if self._log is not None and number in self._logged:
            return self._read(self._log, self._logged[number], self._size)
        return self._read(self._database, (number - 1) * self._size, self._size) if self._database else b""

    @staticmethod
    def _read(file: BinaryIO, place: int, length: int) -> bytes:
        file.seek(place)
        return file.read(length)


def _values(record: bytes) -> list[Any]:
    """The values in a record: its header tells their types, its body holds them."""
    end, place = _varint(record, 0)
    values: list[Any] = []
    body = end
    while place < min(end, len(record)):
        kind, place = _varint(record, place)
        length = _INTEGERS.get(kind, 8 if kind == 7 else max(0, (kind - 12) // 2))
        content = record[body : body + length]
        body += length
        if kind >= 12:
            values.append(content)
        elif kind == 7:
            values.append(struct.unpack(">d", content)[0])
        else:
            values.append({0: None, 9: 1}.get(kind, int.from_bytes(content, signed=True)))
    return values


def _varint(content: bytes, place: int) -> tuple[int, int]:
    """A number of variable length, and the place behind it."""
    value = 0
    for count in range(9):
        byte = content[place + count]
        if count == 8:
            return value << 8 | byte, place + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            break
    return value, place + count + 1
