"""What ``knit plan apply`` makes of a Plan's file: the JSON that it posts, or a refusal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from yaml import Node, ScalarNode

from plans.knitfab.decoding import Decoder
from plans.knitfab.goyaml import compose, is_null, line_of
from plans.knitfab.image import complete_image
from plans.knitfab.quantity import parse_quantity
from plans.knitfab.refusals import CliRefused, Path
from plans.knitfab.sending import request_of
from plans.knitfab.tags import Tag, TagError, tag_from_mapping

__all__ = ["KNOWN_KEYS", "CliRefused", "PlanSource", "read_plan"]

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


class PlanSource:
    """A Plan's file as read: ``request`` is what ``knit`` posts.

    Of what it reads over without a word: ``unknown`` are paths of keys that
    it dropped, ``nulls`` the lines of null items of lists, ``second_document``
    is the line of one. ``plain`` are the texts of scalars without quotes.
    """

    def __init__(self, request: dict[str, Any], reader: _Reader, second_document: int | None) -> None:
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
    reader = _Reader()
    read = reader.plan(root) if root is not None else {}
    reader.finish()
    request = request_of(read, lambda path: _nearest(reader.lines, path))
    return PlanSource(request, reader, second_document)


def _nearest(lines: Mapping[Path, int], path: Path) -> int:
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _is_known(path: Path) -> bool:
    """Whether a path is one that `_Reader` decodes, and not a key that it only saw."""
    *parents, key = path or ("",)
    if isinstance(key, int) or not path:
        return True
    parent = str(parents[0]) if parents else ""
    # The names of resources are the user's.
    return parent == "resources" or key in KNOWN_KEYS.get(parent, ())


class _Reader(Decoder):
    """The types of a Plan's keys; notes the line of each."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[Path, int] = {}
        self.nulls: list[int] = []
        self.plain: dict[Path, str] = {}

    def plan(self, node: Node) -> dict[str, Any]:
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
        self.nulls += [line_of(item) for item in items if is_null(item)]
        values = []
        for position, item in enumerate(item for item in items if not is_null(item)):
            self._note((*path, position), item, item)
            if (value := reader(item, (*path, position))) is not None:
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
        return self._parsed(node, "annotation-format", _annotation)

    def _label(self, node: Node, path: Path) -> str | None:
        return self._parsed(node, "label-format", _label)

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


def _annotation(text: str) -> str:
    key, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"annotation format error (should be key=value): {text}")
    return f"{key.strip()}={value.strip()}"


def _label(text: str) -> str:
    if "=" not in text:
        raise ValueError(f"label format error (should be key=value): {text}")
    return text
