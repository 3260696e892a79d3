"""The lineage of Plans as a picture: which Data each needs, and which it leaves.

The language is Mermaid, which GitHub and GitLab draw where it stands in
Markdown as a block of code called ``mermaid``.
"""

from __future__ import annotations

from collections.abc import Sequence

from fixtures.contracts.files import printable
from plans.checking.files import NamedPlan
from plans.knitfab.conflicts import feeds
from plans.knitfab.tags import Tag

__all__ = ["mermaid"]


def mermaid(plans: Sequence[NamedPlan]) -> str:
    """The flow chart of ``plans``, in their order; the same Plans give the same text.

    Data is one node for each set of tags. What no Plan leaves comes from
    outside, and is drawn with a double edge.
    """
    left: dict[frozenset[Tag], None] = {}
    for _, plan in plans:
        left |= dict.fromkeys(output.tags for output in plan.outputs)
        left |= dict.fromkeys([plan.log] if plan.log is not None else [])
    outside = {
        wanted.tags: None
        for _, plan in plans
        for wanted in plan.inputs
        if not any(feeds(tags, wanted) for tags in left)
    }
    data = {tags: f"data{number}" for number, tags in enumerate(dict.fromkeys([*outside, *left]), 1)}
    lines = ["flowchart LR"]
    for tags, name in data.items():
        text = "<br>".join(_escaped(str(tag)) for tag in sorted(tags, key=_type_first)) or "no tags"
        lines.append(f'    {name}[["{text}"]]' if tags in outside else f'    {name}(["{text}"])')
    for number, (file, plan) in enumerate(plans, 1):
        name = f"plan{number}"
        lines.append(f'    {name}["<b>{_escaped(file.name)}</b><br>{_escaped(plan.image)}"]')
        for wanted in plan.inputs:
            sources = [tags for tags in left if feeds(tags, wanted)] or [wanted.tags]
            lines += [f'    {data[tags]} -->|"{_escaped(wanted.path)}"| {name}' for tags in sources]
        lines += [f'    {name} -->|"{_escaped(output.path)}"| {data[output.tags]}' for output in plan.outputs]
        if plan.log is not None:
            lines.append(f'    {name} -.->|"log"| {data[plan.log]}')
    return "\n".join(lines) + "\n"


def _type_first(tag: Tag) -> tuple[bool, Tag]:
    return tag.key != "type", tag


def _escaped(text: str) -> str:
    """``text`` with all but letters, digits and harmless signs as character codes: labels are HTML and Markdown."""
    return "".join(
        character if character.isalnum() or character in " ._/:=-" else f"#{ord(character)};"
        for character in printable(text)
    )
