"""Nodes of YAML as the types that a Plan has, by the rules of Go's yaml.v3.

A plain scalar keeps its source text where a text is wanted (``010``,
``yes``); ``yes`` and ``off`` are booleans where one is wanted; null leaves a
value out; a key given twice is an error; wrong types are collected and told
together.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from itertools import combinations

from yaml import MappingNode, Node, ScalarNode, SequenceNode

from plans.knitfab.goyaml import TYPED, is_null, line_of, short_tag
from plans.knitfab.refusals import CliRefused

__all__ = ["Decoder"]

_BOOLEANS = {
    "!!bool": {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False},
    "!!str": {
        **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON"), True),
        **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF"), False),
    },
}


class Decoder:
    """Reads values from nodes; what has a wrong type is noted, and raised by `finish`."""

    def __init__(self) -> None:
        self.problems: list[tuple[int, str, str]] = []

    def finish(self) -> None:
        """Raise CliRefused, at the first line, if anything had a wrong type."""
        if self.problems:
            line, rule, _ = min(self.problems)
            told = "\n".join(f"  line {line}: {problem}" for line, _, problem in self.problems)
            raise CliRefused.unreadable(f"yaml: unmarshal errors:\n{told}", rule, line)

    def mismatch(self, node: Node, wanted: str) -> None:
        """Note that ``node`` is no ``wanted``, a type of Go."""
        if isinstance(node, MappingNode) and self._has_key_twice(node):
            return
        tag, shown = short_tag(node), ""
        if tag not in ("!!seq", "!!map"):
            value = node.value.encode() if isinstance(node, ScalarNode) else b""
            shown = f" `{(value[:7] + b'...' if len(value) > 10 else value).decode(errors='replace')}`"
        self.problems.append((line_of(node), "yaml-type", f"cannot unmarshal {tag}{shown} into {wanted}"))

    def text(self, node: Node) -> str | None:
        """The source text of a scalar; None for null and, noted, for a list or mapping."""
        if not isinstance(node, ScalarNode):
            self.mismatch(node, "string")
            return None
        tag = short_tag(node)
        if tag == "!!null":
            return None
        if tag == "!!binary":
            return base64.b64decode(node.value).decode()
        return str(node.value)

    def boolean(self, node: Node) -> bool | None:
        """A boolean; None for null and, noted, for what is none."""
        if is_null(node):
            return None
        spellings = _BOOLEANS.get(short_tag(node), {})
        if not isinstance(node, ScalarNode) or node.value not in spellings:
            self.mismatch(node, "bool")
            return None
        return spellings[node.value]

    def items(self, node: Node, wanted: str) -> list[Node] | None:
        """The items of a list; None for null and, noted, for what is no list."""
        if is_null(node):
            return None
        if not isinstance(node, SequenceNode):
            self.mismatch(node, wanted)
            return None
        return list(node.value)

    def fields(self, node: Node, wanted: str) -> Iterator[tuple[str, Node, Node]]:
        """Keys of a mapping with their nodes and values: its own first, then those merged into it."""
        return self._fields(node, wanted, set(), ())

    def _fields(
        self, node: Node, wanted: str, taken: set[str], merging: tuple[Node, ...]
    ) -> Iterator[tuple[str, Node, Node]]:
        if not isinstance(node, MappingNode):
            self.mismatch(node, wanted)
            return
        if self._has_key_twice(node):
            return
        merged: Node | None = None
        for key_node, value in node.value:
            if short_tag(key_node) == "!!merge":
                merged = value
                continue
            key = self.text(key_node)
            if key is not None and key not in taken:
                taken.add(key)
                yield key, key_node, value
        if merged is None:
            return
        for source in merged.value if isinstance(merged, SequenceNode) else (merged,):
            if not isinstance(source, MappingNode):
                message = "yaml: map merge requires map or sequence of maps as the value"
                raise CliRefused.unreadable(message, "yaml-merge", line_of(merged))
            if source in (node, *merging):
                raise CliRefused.unreadable("yaml: anchor value contains itself", "yaml-merge", line_of(source))
            yield from self._fields(source, wanted, taken, (node, *merging))

    def _has_key_twice(self, node: MappingNode) -> bool:
        lines: dict[tuple[type[Node], str], list[int]] = {}
        for key, _ in node.value:
            name = key.value if isinstance(key, ScalarNode) else ""
            lines.setdefault((type(key), name), []).append(line_of(key))
        for (_, name), places in lines.items():
            for first, second in combinations(places, 2):
                self.problems.append(
                    (second, "yaml-key-twice", f'mapping key "{name}" already defined at line {first}')
                )
        return any(len(places) > 1 for places in lines.values())

    def any_fields(self, node: Node) -> dict[str, str | int | None] | None:
        """A mapping whose values may be anything: texts as such, null as None, all else as 0; None for no mapping."""
        apart = Decoder()
        values: dict[str, str | int | None] = {}
        for key, _, value in apart.fields(node, "map[string]interface {}"):
            is_text = isinstance(value, ScalarNode) and short_tag(value) not in TYPED
            values[key] = None if is_null(value) else str(value.value) if is_text else 0
        return None if apart.problems else values
