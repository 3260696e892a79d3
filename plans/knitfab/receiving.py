"""What ``knitd`` reads from the JSON of a request, before it looks at what it means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from plans.knitfab.image import complete_image
from plans.knitfab.pairs import parse_annotation, parse_label
from plans.knitfab.quantity import parse_quantity
from plans.knitfab.refusals import Path, ServerRefused
from plans.knitfab.spec import Mount, OnNode, PlanSpec
from plans.knitfab.tags import Tag, TagError, tag_from_mapping, tag_set

__all__ = ["received"]

Value = TypeVar("Value")

# Every container gets these, asked for or not.
_DEFAULT_RESOURCES = {"cpu": "1", "memory": "1Gi"}


def received(request: dict[str, Any]) -> PlanSpec:
    """The Plan of a request, in the order of the request, its rules unchecked.

    An image that is not named at all is empty. Raises ServerRefused for what
    is not the JSON of a Plan.
    """
    log = _mapping(request, "log")
    on_node = _mapping(request, "on_node") or {}
    resources = _mapping(request, "resources") or {}
    active = _typed(request, "active", bool)
    return PlanSpec(
        image=_read(complete_image, request["image"] or "", ("image",)) if "image" in request else "",
        entrypoint=tuple(_texts(request, "entrypoint")),
        args=tuple(_texts(request, "args")),
        inputs=tuple(_mounts(request, "inputs")),
        outputs=tuple(_mounts(request, "outputs")),
        log=None if log is None else _tags(log, ("log",)),
        resources=_DEFAULT_RESOURCES
        | {name: _read(_quantity, value, ("resources", name)) for name, value in sorted(resources.items())},
        on_node=OnNode(**{mode: tuple(_labels(on_node, mode)) for mode in ("may", "prefer", "must")}),
        service_account=_typed(request, "service_account", str) or None,
        annotations=tuple(_read(parse_annotation, text, ("annotations",)) for text in _texts(request, "annotations")),
        active=active is None or active,
    )


def _quantity(text: str) -> str:
    return parse_quantity(text).text


def _labels(on_node: dict[str, Any], mode: str) -> list[str]:
    labels = _texts(on_node, mode, ("on_node",))
    for position, label in enumerate(labels):
        _read(parse_label, label, ("on_node", mode, position))
    return labels


def _mounts(request: dict[str, Any], key: str) -> list[Mount]:
    mounts = []
    for position, mount in enumerate(_typed(request, key, list) or []):
        path: Path = (key, position)
        if not isinstance(mount, dict):
            raise _mistyped(path, dict)
        mounts.append(Mount(_typed(mount, "path", str, path) or "", _tags(mount, path)))
    return mounts


def _tags(holder: dict[str, Any], path: Path) -> frozenset[Tag]:
    tags = []
    for position, value in enumerate(_typed(holder, "tags", list, path) or []):
        where: Path = (*path, "tags", position)
        try:
            if isinstance(value, str):
                tags.append(Tag.parse(value))
            elif isinstance(value, dict):
                tags.append(tag_from_mapping(value))
            else:
                raise TagError("failed to parse Tag", "request-malformed")
        except TagError as error:
            # knit checks the value of a system tag, but not if the tag is a mapping.
            rule = "system-tag-value" if error.rule in ("tag-timestamp", "tag-transient") else "request-malformed"
            raise ServerRefused.malformed(str(error), rule, where) from error
    return tag_set(tags)


def _texts(holder: dict[str, Any], key: str, path: Path = ()) -> list[str]:
    texts = _typed(holder, key, list, path) or []
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise _mistyped((*path, key, position), str)
    return texts


def _mapping(holder: dict[str, Any], key: str) -> dict[str, Any] | None:
    return _typed(holder, key, dict)


def _typed(holder: dict[str, Any], key: str, kind: type[Value], path: Path = ()) -> Value | None:
    value = holder.get(key)
    if value is not None and not isinstance(value, kind):
        raise _mistyped((*path, key), kind)
    return value


def _read(read: Callable[[str], Value], value: Any, where: Path) -> Value:
    """``value`` as ``read`` reads it; a text that it cannot read is a malformed request."""
    if not isinstance(value, str):
        raise _mistyped(where, str)
    try:
        return read(value)
    except ValueError as error:
        rule = "image-missing" if where == ("image",) and not value else "request-malformed"
        raise ServerRefused.malformed(str(error), rule, where) from error


def _mistyped(where: Path, kind: type) -> ServerRefused:
    place = ".".join(str(part) for part in where if isinstance(part, str))
    wanted = {list: "slice", dict: "struct", str: "string", bool: "bool"}[kind]
    reason = f"json: cannot unmarshal value into Go struct field PlanSpec.{place} of type {wanted}"
    return ServerRefused.malformed(reason, "request-malformed", where)
