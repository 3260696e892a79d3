"""What ``knitd`` asks of one Plan by itself, in the order in which it asks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from plans.knitfab.refusals import Path, ServerRefused
from plans.knitfab.spec import Mount, OnNode, PlanSpec
from plans.knitfab.tags import ID, TIMESTAMP, TRANSIENT

__all__ = ["validated"]

_invalid = ServerRefused.invalid

_PART = r"[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?"
# Stricter than Kubernetes: no dot and no underscore in the name.
_LABEL_KEY = re.compile(rf"({_PART}(\.{_PART})*/)?{_PART}")
_LABEL_VALUE = re.compile(r"[a-zA-Z0-9]([-._a-zA-Z0-9]{0,61}[a-zA-Z0-9])?")


class _Placed(NamedTuple):
    """A mount and where it stands in the request."""

    mount: Mount
    where: Path


def validated(plan: PlanSpec) -> PlanSpec:
    """``plan`` as Knitfab keeps it: mounts by path, a trailing slash dropped, annotations sorted.

    Raises ServerRefused for the rule that Knitfab finds broken first.
    """
    _check_labels(plan.on_node)
    if not plan.image:
        raise _invalid("nameless or versionless image(:)", "image-missing", ("image",))
    if not plan.inputs:
        raise _invalid("unreachable plan: no inputs", "no-inputs", ("inputs",))
    inputs = _placed(plan.inputs, "inputs")
    outputs = _placed(plan.outputs, "outputs")
    for position, entry in enumerate(inputs):
        _check_path(entry)
        _check_input_tags(entry)
        _check_overlap(entry, [*inputs[position + 1 :], *outputs])
    for position, entry in enumerate(outputs):
        _check_path(entry)
        if any(tag.is_system for tag in entry.mount.tags):
            reason = 'output cannot have tag starting with "knit#" (reserved by system)'
            raise _bad_tag(entry, reason, "output-system-tag")
        _check_overlap(entry, outputs[position + 1 :])
    if any(tag.is_system for tag in plan.log or ()):
        reason = 'bad tag (path = log): log cannot have tag starting with "knit#" (reserved by system)'
        raise _invalid(reason, "log-system-tag", ("log", "tags"))
    return replace(
        plan,
        inputs=tuple(entry.mount for entry in inputs),
        outputs=tuple(entry.mount for entry in outputs),
        annotations=tuple(sorted(set(plan.annotations))),
    )


def _labels(on_node: OnNode) -> Iterator[tuple[str, str, Path]]:
    """Keys and values of labels in Knitfab's order, with their places."""
    for mode in ("may", "must", "prefer"):
        labels = enumerate(label.partition("=") for label in getattr(on_node, mode))
        for position, (key, _, value) in sorted(labels, key=lambda entry: entry[1]):
            yield key, value, ("on_node", mode, position)


def _check_labels(on_node: OnNode) -> None:
    for key, value, where in _labels(on_node):
        if not key:
            raise _invalid("on_node: invalid key: key is empty", "label-key", where)
        if not _LABEL_KEY.fullmatch(key):
            raise _invalid(f"on_node: invalid key: bad pattern: {key}", "label-key", where)
        if len(key.rpartition("/")[0]) > 253:
            raise _invalid(f"on_node: invalid key: too long (> 253 chars) prefix: {key}", "label-key", where)
        if not value:
            raise _invalid("on_node: invalid value: value is empty", "label-value", where)
        if not _LABEL_VALUE.fullmatch(value):
            raise _invalid(f"on_node: invalid value: bad pattern: {value}", "label-value", where)


def _placed(mounts: Sequence[Mount], key: str) -> list[_Placed]:
    """Mounts sorted by path, then each without one trailing slash."""
    placed = []
    for position, mount in sorted(enumerate(mounts), key=lambda entry: entry[1].path):
        where: Path = (key, position)
        if not mount.path:
            raise _invalid("bad mountpoint path (path = ) path is empty", "path-empty", (*where, "path"))
        placed.append(_Placed(Mount(mount.path.removesuffix("/"), mount.tags), where))
    return placed


def _check_path(entry: _Placed) -> None:
    path = entry.mount.path
    parts = path.split("/")
    # "//" loses one slash, and "/" is clean.
    is_clean = path == "/" or (len(parts) > 1 and parts[0] == "" and not {"", ".", ".."} & set(parts[1:]))
    if not is_clean:
        reason = f"bad mountpoint path (path = {path}) not absolute or not clean"
        raise _invalid(reason, "path-not-clean", (*entry.where, "path"))


def _check_input_tags(entry: _Placed) -> None:
    tags = entry.mount.tags
    if not tags:
        raise _bad_tag(entry, "no tags for input", "input-without-tags")
    found: set[str] = set()
    for tag in sorted(tag for tag in tags if tag.is_system):
        if tag.key == TRANSIENT:
            raise _bad_tag(entry, f'data with "{TRANSIENT}" are never used', "input-transient")
        if tag.key not in (ID, TIMESTAMP):
            raise _bad_tag(entry, f"unknown system tag: {tag}", "system-tag-unknown")
        if tag.key in found:
            raise _bad_tag(entry, f'"{tag.key}:..." found twice (or more)', "system-tag-twice")
        found.add(tag.key)


def _bad_tag(entry: _Placed, reason: str, rule: str) -> ServerRefused:
    return _invalid(f"bad tag (path = {entry.mount.path}): {reason}", rule, (*entry.where, "tags"))


def _check_overlap(entry: _Placed, others: Sequence[_Placed]) -> None:
    path = entry.mount.path
    for other in others:
        # Without a slash behind the shorter one: /in and /in2 overlap, too.
        if f"{path.removesuffix('/')}/".startswith(other.mount.path) or f"{other.mount.path}/".startswith(path):
            later = max(entry.where, other.where, key=lambda where: (where[0] == "outputs", where[1]))
            reason = f"mountpoints are overlapped: {path}, {other.mount.path}"
            raise _invalid(reason, "mounts-overlap", (*later, "path"))
