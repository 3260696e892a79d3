"""The keys of a Plan in YAML, and their types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from yaml import Node, ScalarNode

from plans.knitfab.decoding import Decoder
from plans.knitfab.goyaml import is_null, line_of
from plans.knitfab.image import complete_image
from plans.knitfab.pairs import parse_annotation, parse_label
from plans.knitfab.quantity import parse_quantity
from plans.knitfab.refusals import CliRefused, Path
from plans.knitfab.tags import Tag, TagError, tag_from_mapping

__all__ = ["KNOWN_KEYS", "PlanReader"]

Item = TypeVar("Item")

# The keys that knit knows, in the order in which it sends them; it drops all others without a word.
KNOWN_KEYS: dict[str, tuple[str, ...]] = {
    "": (
        "annotations",
        "image",
        "entrypoint",
        "args",
        "inputs",
        "outputs",
        "log",
        "on_node",
        "resources",
        "service_account",
        "active",
    ),
    "inputs": ("path", "tags"),
    "outputs": ("path", "tags"),
    "log": ("tags",),
    "on_node": ("may", "prefer", "must"),
}


class PlanReader(Decoder):
    """The values of a Plan's known keys, as Go's types have them.

    On the way it notes the line of every key and item, the lines of null
    items, which are dropped, and the texts of scalars without quotes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[Path, int] = {}
        self.nulls: list[int] = []
        self.plain: dict[Path, str] = {}

    def plan(self, node: Node) -> dict[str, Any]:
        """The values of the keys that are there and not null."""
        self.lines[()] = line_of(node)
        return self._struct(
            node,
            (),
            "plans.PlanSpec",
            {
                "annotations": lambda value, path: self._list(value, path, "plans.Annotations", self._annotation),
                "image": self._image,
                "entrypoint": lambda value, path: self._list(value, path, "[]string", self._text),
                "args": lambda value, path: self._list(value, path, "[]string", self._text),
                "inputs": lambda value, path: self._list(value, path, "[]plans.Mountpoint", self._mount),
                "outputs": lambda value, path: self._list(value, path, "[]plans.Mountpoint", self._mount),
                "log": self._log,
                "on_node": self._on_node,
                "resources": self._resources,
                "service_account": self._text,
                "active": lambda value, path: self.boolean(value),
            },
        )

    def _struct(
        self, node: Node, path: Path, wanted: str, readers: dict[str, Callable[[Node, Path], Any]]
    ) -> dict[str, Any]:
        """The known fields of a mapping that are not null; none of null."""
        values: dict[str, Any] = {}
        if is_null(node):
            return values
        for key, key_node, value in self.fields(node, wanted):
            self._note((*path, key), key_node, value)
            if key in readers and (read := readers[key](value, (*path, key))) is not None:
                values[key] = read
        return values

    def _list(
        self, node: Node, path: Path, wanted: str, reader: Callable[[Node, Path], Item | None]
    ) -> list[Item] | None:
        items = self.items(node, wanted)
        if items is None:
            return None
        values: list[Item] = []
        for item in items:
            place = (*path, len(values))
            if is_null(item):
                self.nulls.append(line_of(item))
                continue
            self._note(place, item, item)
            if (value := reader(item, place)) is not None:
                values.append(value)
        return values

    def _note(self, path: Path, place: Node, value: Node) -> None:
        self.lines[path] = line_of(place)
        if isinstance(value, ScalarNode) and not value.style:
            self.plain[path] = value.value

    def _text(self, node: Node, path: Path) -> str | None:
        return self.text(node)

    def _image(self, node: Node, path: Path) -> str | None:
        return self._parsed(node, "image-name", complete_image)

    def _annotation(self, node: Node, path: Path) -> str | None:
        return self._parsed(node, "annotation-format", lambda text: "=".join(parse_annotation(text)))

    def _label(self, node: Node, path: Path) -> str | None:
        return self._parsed(node, "label-format", parse_label)

    def _parsed(self, node: Node, rule: str, parse: Callable[[str], str]) -> str | None:
        text = None if is_null(node) else self.text(node)
        if text is None:
            return None
        try:
            return parse(text)
        except ValueError as error:
            raise CliRefused.unreadable(str(error), rule, line_of(node)) from error

    def _mount(self, node: Node, path: Path) -> dict[str, Any]:
        return self._struct(node, path, "plans.Mountpoint", {"path": self._text, "tags": self._tags})

    def _log(self, node: Node, path: Path) -> dict[str, Any] | None:
        return None if is_null(node) else self._struct(node, path, "plans.LogPoint", {"tags": self._tags})

    def _on_node(self, node: Node, path: Path) -> dict[str, Any] | None:
        if is_null(node):
            return None

        def labels(value: Node, path: Path) -> list[str] | None:
            return self._list(value, path, "[]plans.OnSpecLabel", self._label)

        return self._struct(node, path, "plans.OnNode", dict.fromkeys(KNOWN_KEYS["on_node"], labels))

    def _tags(self, node: Node, path: Path) -> list[Tag] | None:
        return self._list(node, path, "[]tags.Tag", self._tag)

    def _tag(self, node: Node, path: Path) -> Tag:
        try:
            text = Decoder().text(node)
            if text is not None:
                return Tag.parse(text)
            mapping = self.any_fields(node)
            if mapping is None:
                raise TagError("failed to parse Tag", "tag-mapping")
            return tag_from_mapping(mapping)
        except TagError as error:
            raise CliRefused.unreadable(str(error), error.rule, line_of(node)) from error

    def _resources(self, node: Node, path: Path) -> dict[str, str] | None:
        if is_null(node):
            return None
        texts: dict[str, str] = {}
        nodes: dict[str, Node] = {}
        before = len(self.problems)
        for key, key_node, value in self.fields(node, "map[string]string"):
            self._note((*path, key), key_node, value)
            texts[key] = self.text(value) or ""
            nodes[key] = key_node
        if len(self.problems) > before:
            return None
        quantities = {}
        for key in sorted(texts):
            try:
                quantities[key] = parse_quantity(texts[key]).text
            except ValueError as error:
                raise CliRefused.unreadable(str(error), "quantity", line_of(nodes[key])) from error
        return quantities
