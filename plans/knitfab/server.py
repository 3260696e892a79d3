"""What ``knitd`` does with ``POST /api/plans``: it registers a Plan, or refuses it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from plans.knitfab.conflicts import equivalent, find_route
from plans.knitfab.receiving import received
from plans.knitfab.refusals import Path, ServerRefused
from plans.knitfab.spec import PlanSpec
from plans.knitfab.tags import ID, Tag
from plans.knitfab.validation import validated

__all__ = ["ServerRefused", "accept"]


def accept(request: dict[str, Any], registered: Sequence[PlanSpec]) -> PlanSpec:
    """The Plan of ``request`` as it is registered beside those that are.

    Raises ServerRefused with Knitfab's status and words.
    """
    sent = received(request)
    plan = validated(sent)
    if any(equivalent(plan, other) for other in registered):
        raise ServerRefused(409, "there are equiverent plan", "plan-equivalent")
    _check_columns(sent)
    if find_route(plan, plan, registered):
        message = (
            "plan spec conflics with others\n caused by:"
            "plan spec is conflicting with other plan: plan's tag dependency makes cycle"
        )
        raise ServerRefused(409, message, "plan-cycle", ("outputs",))
    return plan


def _check_columns(plan: PlanSpec) -> None:
    """Refuse what the database cannot hold, in the order in which it is stored."""
    for mode in ("may", "prefer", "must"):
        labels = getattr(plan.on_node, mode)
        if len(set(labels)) < len(labels):
            reason = 'duplicate key value violates unique constraint "plan_on_node_pkey" (SQLSTATE 23505)'
            raise ServerRefused.broken(reason, "label-twice", ("on_node", mode))
    for text, column, where in _columns(plan):
        if "\0" in text:
            reason = 'invalid byte sequence for encoding "UTF8": 0x00 (SQLSTATE 22021)'
            raise ServerRefused.broken(reason, "nul-character", where)
        limit = int(column.partition("(")[2].rstrip(")") or len(text))
        if len(text) > limit:
            raise ServerRefused.broken(f"value too long for type {column} (SQLSTATE 22001)", "value-too-long", where)


def _columns(plan: PlanSpec) -> Iterator[tuple[str, str, Path]]:
    """Each text of a Plan, the type of its column, and where it stands."""
    name, _, tag = plan.image.rpartition(":")
    yield name, "character varying(512)", ("image",)
    yield tag, "character varying(128)", ("image",)
    for resource, quantity in plan.resources.items():
        yield resource, "character varying(1024)", ("resources", resource)
        yield quantity, "character varying(1024)", ("resources", resource)
    for key in ("entrypoint", "args"):
        for position, text in enumerate(getattr(plan, key)):
            yield text, "character varying", (key, position)
    for key, value in plan.annotations:
        yield key, "character varying(253)", ("annotations",)
        yield value, "character varying(1048576)", ("annotations",)
    yield plan.service_account or "", "character varying(63)", ("service_account",)
    for kind in ("inputs", "outputs"):
        for position, mount in enumerate(getattr(plan, kind)):
            yield mount.path, "character varying(4096)", (kind, position, "path")
            yield from _tag_columns(sorted(mount.tags), (kind, position, "tags"))
    yield from _tag_columns(sorted(plan.log or ()), ("log", "tags"))


def _tag_columns(tags: Sequence[Tag], where: Path) -> Iterator[tuple[str, str, Path]]:
    for tag in tags:
        if tag.key == ID:
            yield tag.value, "character(36)", where
        else:
            yield tag.key, "character varying(1024)", where
            yield tag.value, "character varying(1048576)", where
