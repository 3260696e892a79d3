"""What ``knit plan apply`` makes of a Plan's file: the JSON that it posts, or a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plans.knitfab.goyaml import compose
from plans.knitfab.reading import KNOWN_KEYS, PlanReader
from plans.knitfab.refusals import CliRefused, Path
from plans.knitfab.sending import request_of

__all__ = ["CliRefused", "PlanSource", "read_plan"]


class PlanSource:
    """A Plan's file as read: ``request`` is what ``knit`` posts.

    Of what it reads over without a word: ``unknown`` are paths of keys that
    it dropped, ``nulls`` the lines of null items of lists, ``second_document``
    is the line of one. ``plain`` are the texts of scalars without quotes.
    """

    def __init__(self, request: dict[str, Any], reader: PlanReader, second_document: int | None) -> None:
        self.request = request
        self.unknown = [path for path in reader.lines if not _is_known(path)]
        self.nulls = reader.nulls
        self.plain = reader.plain
        self.second_document = second_document
        self._lines = reader.lines

    def line(self, path: Path) -> int:
        """The line of the node at ``path``, or of the nearest one around it that is there."""
        return _nearest(self._lines, path)


def read_plan(text: str) -> PlanSource:
    """Read a Plan's file as ``knit`` does.

    Raises CliRefused for what it refuses before anything is sent.
    """
    root, second_document = compose(text)
    reader = PlanReader()
    read = reader.plan(root) if root is not None else {}
    reader.finish()
    request = request_of(read, lambda path: _nearest(reader.lines, path))
    return PlanSource(request, reader, second_document)


def _nearest(lines: Mapping[Path, int], path: Path) -> int:
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _is_known(path: Path) -> bool:
    """Whether knit has a use for what stands at ``path``; what it drops is not looked into."""
    if not path or isinstance(path[-1], int):
        return True
    holder = str(path[0]) if len(path) > 1 else ""
    # The names of resources are the user's.
    return holder == "resources" or path[-1] in KNOWN_KEYS.get(holder, ())
