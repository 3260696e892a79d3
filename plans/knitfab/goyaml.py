"""YAML as ``knit`` reads it, which is Go's yaml.v3.

It differs from PyYAML in what matters for a Plan: only ``true`` and
``false`` are booleans, ``1:30`` is a text, an anchor may be given anew, and
what follows the first document is not read. LibYAML, of which yaml.v3 is a
translation, serves as the parser alone; its marks know their lines.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import date
from typing import Any

from yaml import MarkedYAMLError, Node, ScalarNode, SequenceNode, YAMLError
from yaml._yaml import CParser
from yaml.composer import Composer
from yaml.events import AliasEvent
from yaml.reader import ReaderError
from yaml.resolver import BaseResolver
from yaml.scanner import ScannerError

from plans.knitfab.refusals import CliRefused

__all__ = ["TYPED", "compose", "is_null", "line_of", "plain_tag", "short_tag"]

# What is no text where any type is welcome.
TYPED = ("!!null", "!!bool", "!!int", "!!float", "!!timestamp")

_PREFIX = "tag:yaml.org,2002:"
_CONSTANTS = {
    **dict.fromkeys(("true", "True", "TRUE", "false", "False", "FALSE"), "!!bool"),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), "!!null"),
    **dict.fromkeys((f"{sign}.{word}" for sign in ("", "+", "-") for word in ("inf", "Inf", "INF")), "!!float"),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), "!!float"),
    "<<": "!!merge",
}
_INT = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+|0[0-7]*|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})([Tt][\d:.]+(Z|[+-]\d\d:\d\d)| [\d:.]+)?", re.ASCII)


class _Composer(Composer, CParser, BaseResolver):
    """Nodes of LibYAML's events, with yaml.v3's idea of what plain scalars are."""

    def __init__(self, text: str) -> None:
        CParser.__init__(self, text)
        Composer.__init__(self)
        BaseResolver.__init__(self)

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        """The next node. PyYAML refuses an anchor that is given anew; yaml.v3 does not."""
        event: Any = self.peek_event()
        if not self.check_event(AliasEvent):
            self.anchors.pop(event.anchor, None)
        elif event.anchor not in self.anchors:
            line = event.start_mark.line + 1
            raise CliRefused.unreadable(f"yaml: unknown anchor '{event.anchor}' referenced", "yaml-syntax", line)
        node: Node | None = super().compose_node(parent, index)
        return node

    def resolve(self, kind: type[Node], value: str | None, implicit: tuple[bool, bool] | bool | None) -> str:
        """The tag of a node that has none of its own."""
        if kind is ScalarNode:
            is_plain = isinstance(implicit, tuple) and implicit[0]
            return plain_tag(value or "") if is_plain else "!!str"
        return "!!seq" if kind is SequenceNode else "!!map"


def compose(text: str) -> tuple[Node | None, int | None]:
    """The first document of ``text``, None if it holds none, and the line of a second that says anything.

    Raises CliRefused for what is no YAML. What follows the first document is
    not read, and may be anything.
    """
    try:
        composer = _Composer(text)
        root = composer.get_node() if composer.check_node() else None
    except ReaderError as error:
        line = text.encode().count(b"\n", 0, error.position) + 1
        raise CliRefused.unreadable(f"yaml: {error.reason}", "yaml-syntax", line) from error
    except RecursionError as error:
        raise CliRefused.unreadable("yaml: exceeded max depth", "yaml-syntax", 1) from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise CliRefused.unreadable(_words(error), "yaml-syntax", mark.line + 1 if mark else 1) from error
    return root, _second_document(composer)


def _words(error: MarkedYAMLError) -> str:
    """An error of LibYAML as yaml.v3 tells it, which numbers some lines from 0."""
    marks = (mark for mark in (error.context_mark, error.problem_mark) if mark and mark.line)
    line = next((mark.line + isinstance(error, ScannerError) for mark in marks), 0)
    return f"yaml: line {line}: {error.problem}" if line else f"yaml: {error.problem}"


def _second_document(composer: _Composer) -> int | None:
    try:
        second = composer.get_node() if composer.check_node() else None
    except MarkedYAMLError as error:
        mark = error.problem_mark
        return mark.line + 1 if mark else None
    except (CliRefused, RecursionError, YAMLError):
        return None
    return None if second is None or is_null(second) else line_of(second)


def line_of(node: Node) -> int:
    """The line on which a node begins, counted from 1."""
    return int(node.start_mark.line) + 1


def is_null(node: Node) -> bool:
    """Whether a node is null."""
    return isinstance(node, ScalarNode) and short_tag(node) == "!!null"


def short_tag(node: Node) -> str:
    """The tag of a node as yaml.v3 writes it, ``!!str`` say.

    Raises CliRefused for a value that cannot have the tag which the file
    gives it.
    """
    tag = str(node.tag)
    if not tag.startswith(_PREFIX):
        return tag
    tag = f"!!{tag.removeprefix(_PREFIX)}"
    if isinstance(node, ScalarNode):
        actual = plain_tag(node.value)
        if tag == "!!binary" and not _is_base64(node.value):
            message = "yaml: !!binary value contains invalid base64 data"
            raise CliRefused.unreadable(message, "yaml-type", line_of(node))
        if tag in TYPED and tag != actual and (tag, actual) != ("!!float", "!!int"):
            message = f"yaml: cannot decode {actual} `{node.value}` as a {tag}"
            raise CliRefused.unreadable(message, "yaml-type", line_of(node))
    return tag


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True).decode() or not text)
    except (binascii.Error, UnicodeDecodeError):
        return False


def plain_tag(value: str) -> str:
    """What yaml.v3 takes a plain scalar for."""
    if value in _CONSTANTS:
        return _CONSTANTS[value]
    if _is_date(value):
        return "!!timestamp"
    # A text may begin with an underscore, a number may not.
    digits = value[:1] + value[1:].replace("_", "")
    if _INT.fullmatch(digits):
        return "!!int"
    return "!!float" if _FLOAT.fullmatch(digits) else "!!str"


def _is_date(value: str) -> bool:
    match = _DATE.fullmatch(value)
    if match is None:
        return False
    try:
        date(*(int(part) for part in match.groups()[:3]))
    except ValueError:
        return False
    return True
