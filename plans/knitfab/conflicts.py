"""Plans against each other: which Data of one another may get, which are equal, which run in circles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from plans.knitfab.spec import Mount, PlanSpec
from plans.knitfab.tags import Tag

__all__ = ["equivalent", "feeds", "find_route", "produced"]


def produced(plan: PlanSpec) -> Iterator[frozenset[Tag]]:
    """The tags of each Data that a Run leaves: its outputs, then its log."""
    for output in plan.outputs:
        yield output.tags
    if plan.log is not None:
        yield plan.log


def feeds(tags: frozenset[Tag], wanted: Mount) -> bool:
    """Whether Data with ``tags`` will be given to an input.

    An input that asks for one Data by its id or time waits for no other.
    """
    return wanted.tags <= tags and not any(tag.is_system for tag in wanted.tags)


def find_route(plan: PlanSpec, target: PlanSpec, others: Sequence[PlanSpec]) -> list[PlanSpec] | None:
    """The Plans through which Data of ``plan`` comes to ``target``, ``plan`` first; None if it never does.

    With ``plan`` as its own target, a cycle.
    """
    routes = [[plan]]
    left = list(others)
    for route in routes:
        if _gives_to(route[-1], target):
            return route
        reached = [other for other in left if _gives_to(route[-1], other)]
        routes += [[*route, other] for other in reached]
        left = [other for other in left if other not in reached]
    return None


def _gives_to(source: PlanSpec, target: PlanSpec) -> bool:
    return any(feeds(tags, wanted) for tags in produced(source) for wanted in target.inputs)


def equivalent(one: PlanSpec, other: PlanSpec) -> bool:
    """Whether Knitfab takes two Plans for one: resources, service account, annotations and activity do not count."""
    return _identity(one) == _identity(other)


def _identity(plan: PlanSpec) -> tuple[object, ...]:
    # Knitfab compares a hash over all texts without gaps, then lists without
    # their order: the args "a", "aa" are the same as "aa", "a".
    return (
        plan.image,
        sorted(plan.on_node.may),
        sorted(plan.on_node.prefer),
        sorted(plan.on_node.must),
        _mounts(plan.inputs),
        _mounts(plan.outputs),
        plan.log,
        "".join(plan.entrypoint),
        sorted(plan.entrypoint),
        "".join(plan.args),
        sorted(plan.args),
    )


def _mounts(mounts: Iterable[Mount]) -> set[tuple[str, frozenset[Tag]]]:
    return {(mount.path, mount.tags) for mount in mounts}
