"""Turns of weight 0: the model reads them, and does not learn to say them.

That is how OpenAI's form leaves a turn of the assistant out of the loss. Where
it stands in a text is found out by writing something else in its place: what
differs is the turn's. Counting the parts that a template marks would not do:
some mark the end of a conversation as well (Phi-3.5's), or a turn in two parts.
"""

from __future__ import annotations

from typing import Any

from training.causal.templates import ChatTemplate, Messages, Rendered
from training.causal.tokens import shared

__all__ = ["has_mute_turns", "unmuted"]

_OTHER = "\ue000"
"""Of the private use area: nobody's text begins or ends with it, and no template strips it."""

Span = tuple[int, int]


def has_mute_turns(messages: Messages) -> bool:
    """Whether a turn is not to be learned."""
    return any(_is_mute(turn) for turn in messages)


def unmuted(template: ChatTemplate, messages: Messages, tools: list[Any] | None, *, loss_on_all: bool) -> Rendered:
    """A conversation as text, and the parts of it to learn: none of a turn of weight 0. Raises TemplateRefused."""
    rendered = template.render(messages, tools)
    regions = [
        _region(template, messages, tools, rendered.text, number)
        for number, turn in enumerate(messages)
        if _is_mute(turn)
    ]
    muted = [span for span in rendered.spans if any(span[0] < end and start < span[1] for start, end in regions)]
    if not loss_on_all:
        return Rendered(rendered.text, [span for span in rendered.spans if span not in muted])
    starts, ends = [0, *(end for _, end in muted)], [*(start for start, _ in muted), len(rendered.text)]
    return Rendered(rendered.text, list(zip(starts, ends, strict=True)))


def _is_mute(turn: dict[str, Any]) -> bool:
    return turn.get("weight") == 0


def _region(template: ChatTemplate, messages: Messages, tools: list[Any] | None, text: str, number: int) -> Span:
    """Where a turn stands in the text; what closes the conversation belongs to the last one."""
    others = [*messages[:number], _another(messages[number]), *messages[number + 1 :]]
    other = template.render(others, tools).text
    start = shared(text, other)
    if number == len(messages) - 1:
        return start, len(text)
    return start, len(text) - shared(reversed(text[start:]), reversed(other[start:]))


def _another(turn: dict[str, Any]) -> dict[str, Any]:
    """A turn of the same shape that says something else."""
    changed = turn | {"content": _OTHER if turn["content"] else ""}
    if calls := turn.get("tool_calls"):
        changed["tool_calls"] = [call | {"function": {"name": _OTHER, "arguments": {}}} for call in calls]
    return changed
