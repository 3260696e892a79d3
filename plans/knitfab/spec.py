"""What Knitfab knows of a Plan: plain values, no rules.

A Plan is a command in a container image. It runs once for every combination
of Data whose tags cover those of its inputs; what it writes to an output
becomes Data with that output's tags.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from plans.knitfab.tags import Tag

__all__ = ["Mount", "OnNode", "PlanSpec", "Tag"]


@dataclass(frozen=True)
class Mount:
    """A folder in the container and the tags of the Data that is mounted there."""

    path: str
    tags: frozenset[Tag]


@dataclass(frozen=True)
class OnNode:
    """Labels and taints of nodes, each as ``key=value``."""

    may: tuple[str, ...] = ()
    prefer: tuple[str, ...] = ()
    must: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlanSpec:
    """One Plan as Knitfab registers it; ``log`` is None when no log is kept."""

    image: str
    entrypoint: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    inputs: tuple[Mount, ...] = ()
    outputs: tuple[Mount, ...] = ()
    log: frozenset[Tag] | None = None
    resources: Mapping[str, str] = field(default_factory=dict)
    on_node: OnNode = OnNode()
    service_account: str | None = None
    annotations: tuple[tuple[str, str], ...] = ()
    active: bool = True
