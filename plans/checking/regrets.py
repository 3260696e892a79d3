"""What Knitfab accepts without a word, and users regret."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations
from typing import NamedTuple

from yaml import YAMLError, safe_load

from plans.checking.files import NamedPlan
from plans.knitfab.conflicts import find_route
from plans.knitfab.quantity import parse_quantity
from plans.knitfab.reading import KNOWN_KEYS
from plans.knitfab.refusals import Path
from plans.knitfab.source import PlanSource
from plans.knitfab.spec import PlanSpec
from plans.knitfab.tags import Tag

__all__ = ["WARNINGS", "Regret", "regrets_of_file", "regrets_of_plan"]

WARNINGS = {
    "unknown-key": "A key that Knitfab does not know is dropped.",
    "second-document": "Only the first YAML document of a file is read.",
    "null-item": "A null item of a list is dropped.",
    "yaml11-boolean": "`yes`, `no`, `on`, `off` without quotes are booleans for other YAML readers, texts for `knit`.",
    "source-text": "A number or time without quotes is sent as it is written: `010`, not 8.",
    "image-latest": "An image without a tag, or with `latest`, may be another one at every Run.",
    "no-log": "Without `log` nothing is kept of what a Run prints.",
    "output-without-tags": "Data without tags can be asked for by its id alone.",
    "tag-empty": "A tag with an empty key or value is hardly meant.",
    "inputs-alike": "Two inputs with the same tags get every pair of such Data, also the same Data twice.",
    "shared-config": "A config that two programs share, or two Plans in a row, starts both when it changes.",
    "path-hides-system": "A mount over a system folder hides what the image has there.",
    "resource-name": "Kubernetes knows `cpu`, `memory`, `ephemeral-storage` and names with a domain: `nvidia.com/gpu`.",
    "resource-not-positive": "With an amount of zero or less, Runs never start, or start with no limit.",
    "resource-fraction": "GPUs and other devices are given whole.",
    "resource-unlikely": "An amount that no node has, or in which nothing runs: a suffix is missing or too many.",
}

_BOOLEANS = ("y", "n", "yes", "no", "on", "off")
_SYSTEM_TREES = ("bin", "boot", "dev", "etc", "lib", "lib64", "proc", "sbin", "sys", "usr")
_SYSTEM_FOLDERS = ("/", "/home", "/opt", "/root", "/run", "/tmp", "/var")
_CONFIG = re.compile(r"\b(config(uration)?s?|settings|param(eter)?s|policy)\b", re.IGNORECASE)
# Amounts outside of these are a slip of the pen.
_LIKELY = {
    "cpu": (Fraction(1, 1000), Fraction(1024)),
    "memory": (Fraction(4 * 2**20), Fraction(2**46)),
    "ephemeral-storage": (Fraction(2**20), Fraction(2**50)),
}
_MOST_DEVICES = 64


class Regret(NamedTuple):
    """A warning: its name in `WARNINGS`, the line of the file, and what it is about."""

    name: str
    line: int
    message: str


def regrets_of_file(source: PlanSource) -> Iterator[Regret]:
    """What ``knit`` reads otherwise than it was written."""
    for path in source.unknown:
        *parents, key = path
        known = KNOWN_KEYS.get(str(parents[0]) if parents else "", ())
        near = difflib.get_close_matches(str(key), known, n=1)
        hint = f'; did you mean "{near[0]}"?' if near else f"; known keys: {', '.join(known)}"
        yield Regret("unknown-key", source.line(path), f'unknown key "{key}" is dropped{hint}')
    if source.second_document is not None:
        yield Regret("second-document", source.second_document, "the second document is not read, nor what follows")
    for line in source.nulls:
        yield Regret("null-item", line, "a null item is dropped from the list; quote it to send the text")
    for path, text in source.plain.items():
        if path in source.unknown:
            continue
        if path == ("active",) and text.lower() in _BOOLEANS:
            value = "true" if text.lower() in ("y", "yes", "on") else "false"
            yield Regret("yaml11-boolean", source.line(path), f"{text} is read as {value}; write {value}")
        elif path[:1] not in (("active",), ("resources",)) and (name := _otherwise(text)):
            yield Regret(name, source.line(path), f'{text} is sent as the text "{text}"; quote it')


def _otherwise(text: str) -> str | None:
    """The warning for a plain scalar that most readers of YAML turn into something that is not spelt like it."""
    try:
        value = safe_load(text)
    except (ValueError, YAMLError):
        return None
    if isinstance(value, bool):
        return "yaml11-boolean" if text.lower() in _BOOLEANS else None
    return None if value is None or str(value) == text else "source-text"


def regrets_of_plan(plan: PlanSpec, source: PlanSource, earlier: Sequence[NamedPlan]) -> Iterator[Regret]:
    """What a Plan does otherwise than is wished. ``plan`` is in the order of the file."""

    def regret(name: str, path: Path, message: str) -> Regret:
        return Regret(name, source.line(path), message)

    if plan.image.endswith(":latest"):
        yield regret("image-latest", ("image",), f"{plan.image} names no version")
    if plan.log is None:
        yield regret("no-log", (), "no log is kept; add log: {tags: [...]}")
    for kind, mounts in (("inputs", plan.inputs), ("outputs", plan.outputs)):
        for position, mount in enumerate(mounts):
            if kind == "outputs" and not mount.tags:
                message = f"the Data of {mount.path} has no tags"
                yield regret("output-without-tags", (kind, position), message)
            for tag in sorted(mount.tags):
                if not tag.key or not tag.value:
                    yield regret("tag-empty", (kind, position, "tags"), f'the tag "{tag}" says too little')
            if mount.path in _SYSTEM_FOLDERS or mount.path.split("/")[1] in _SYSTEM_TREES:
                message = f"{mount.path} hides the image's own files"
                yield regret("path-hides-system", (kind, position, "path"), message)
    for (_, one), (position, other) in combinations(enumerate(plan.inputs), 2):
        if one.tags == other.tags:
            message = f"{one.path} and {other.path} ask for the same Data"
            yield regret("inputs-alike", ("inputs", position), message)
    yield from _of_configs(plan, source, earlier)
    yield from _of_resources(source)


def _of_configs(plan: PlanSpec, source: PlanSource, earlier: Sequence[NamedPlan]) -> Iterator[Regret]:
    plans = [plan, *(other.plan for other in earlier)]
    for other in earlier:
        is_same_program = (plan.image, plan.entrypoint) == (other.plan.image, other.plan.entrypoint)
        is_in_a_row = find_route(plan, other.plan, plans) or find_route(other.plan, plan, plans)
        if is_same_program and not is_in_a_row:
            continue
        for position, mount in enumerate(plan.inputs):
            if _is_config(mount.tags) and any(mount.tags == theirs.tags for theirs in other.plan.inputs):
                tags = ", ".join(str(tag) for tag in sorted(mount.tags))
                message = f"{tags} is an input of {other.file}, too: give each Plan a config of its own"
                yield Regret("shared-config", source.line(("inputs", position, "tags")), message)


def _is_config(tags: frozenset[Tag]) -> bool:
    return any(_CONFIG.search(tag.value) for tag in tags)


def _of_resources(source: PlanSource) -> Iterator[Regret]:
    for name, text in (source.request.get("resources") or {}).items():
        line = source.line(("resources", name))
        amount = parse_quantity(text).amount
        if "/" not in name and name not in _LIKELY and not name.startswith("hugepages-"):
            near = ' did you mean "nvidia.com/gpu"?' if "gpu" in name else ""
            yield Regret("resource-name", line, f'Kubernetes has no resource "{name}";{near or " Runs never start"}')
        elif amount <= 0:
            yield Regret("resource-not-positive", line, f"{name}: {text} is not above zero; leave it out")
        elif "/" in name and amount.denominator != 1:
            yield Regret("resource-fraction", line, f"{name}: {text} is not a whole number")
        elif "/" in name and amount > _MOST_DEVICES:
            yield Regret("resource-unlikely", line, f"{name}: {text} is more than any node has")
        elif name in _LIKELY and not _LIKELY[name][0] <= amount <= _LIKELY[name][1]:
            size = "little" if amount < _LIKELY[name][0] else "much"
            hint = " bytes" if text.isdigit() and name != "cpu" else ""
            yield Regret("resource-unlikely", line, f"{name}: {text}{hint} is too {size} to be meant")
