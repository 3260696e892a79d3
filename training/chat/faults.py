"""Faults by line, and a report that holds all of them in few words.

Who mends a file wants to see everything at once, and not a thousand times the
same sentence: lines with the same fault share one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Fault", "counted", "in_words", "line_ranges"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong in a line, or in the file as a whole (no line).

    A warning leaves the line usable.
    """

    line: int | None
    what: str
    warning: bool = False


SHOWN = 8
"""Ranges of lines where not all are wanted."""


def in_words(faults: Iterable[Fault], *, complete: bool = True) -> list[str]:
    """A line for each kind of fault: errors first, each in the order of its first line.

    It names all lines, or with ``complete=False`` the first of them.
    """
    kinds: dict[tuple[bool, str], list[int]] = {}
    for fault in sorted(faults, key=lambda fault: fault.line or 0):
        lines = kinds.setdefault((fault.warning, fault.what), [])
        if fault.line is not None:
            lines.append(fault.line)
    return [
        f"{'warning' if warning else 'error'}: {line_ranges(lines, None if complete else SHOWN)}{what}"
        for (warning, what), lines in sorted(kinds.items(), key=lambda kind: kind[0][0])
    ]


def line_ranges(lines: Sequence[int], shown: int | None = None) -> str:
    """``lines 2, 5-9 (6): `` for many ascending numbers, nothing for none; only the first ``shown`` ranges if given."""
    if not lines:
        return ""
    ranges: list[list[int]] = []
    for line in dict.fromkeys(lines):
        if ranges and line == ranges[-1][1] + 1:
            ranges[-1][1] = line
        else:
            ranges.append([line, line])
    total = sum(last - first + 1 for first, last in ranges)
    names = [str(first) if first == last else f"{first}-{last}" for first, last in ranges[:shown]]
    if len(names) < len(ranges):
        names.append("...")
    return f"line {names[0]}: " if total == 1 else f"lines {', '.join(names)} ({total:,}): "


def counted(number: int, noun: str) -> str:
    """``1 error``, ``2 errors``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
