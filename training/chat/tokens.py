"""Conversations as token ids, with the tokens to learn marked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fixtures.conversations.faults import Fault
from fixtures.conversations.files import Conversation
from training.causal.templates import ChatTemplate, Rendered, TemplateRefused
from training.causal.tokens import CHUNK, IGNORED, Losses, Row, dropped_characters, unknown_characters
from training.chat.weights import has_mute_turns, unmuted

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["Encoded", "encode"]


@dataclass
class Encoded:
    """Rows, what is wrong with some, and the characters that the tokenizer does not know."""

    rows: list[Row] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    losses: Losses = field(default_factory=Losses)


def encode(
    tokenizer: PreTrainedTokenizerBase,
    template: ChatTemplate,
    conversations: Sequence[Conversation],
    loss_on: str,
) -> Encoded:
    """All conversations as rows; one that the template cannot take, or says nothing of, is a fault."""
    result = Encoded()
    rendered: list[tuple[int, Rendered]] = []
    for conversation in conversations:
        try:
            rendered.append((conversation.line, _render(template, conversation, loss_on)))
        except TemplateRefused as refusal:
            result.faults.append(Fault(conversation.line, str(refusal)))
        else:
            result.faults += (Fault(conversation.line, what) for what in _left_out(template, conversation))
    characters = Counter(character for _, one in rendered for character in one.text if not character.isspace())
    result.losses.characters = characters.total()
    dropped = dropped_characters(tokenizer, characters)
    result.losses.lost.update({character: characters[character] for character in dropped})
    for start in range(0, len(rendered), CHUNK):
        chunk = [(line, _without(one, dropped)) for line, one in rendered[start : start + CHUNK]]
        tokens = tokenizer([one.text for _, one in chunk], add_special_tokens=False, return_offsets_mapping=True)
        for (line, one), ids, offsets in zip(chunk, tokens["input_ids"], tokens["offset_mapping"], strict=True):
            row = Row(line, ids, _labels(ids, offsets, one.spans))
            result.rows.append(row)
            result.losses.lost.update(unknown_characters(tokenizer, one.text, ids))
            if not row.learned:
                result.faults.append(Fault(line, "the chat template shows nothing of what the assistant says"))
    return result


def _render(template: ChatTemplate, conversation: Conversation, loss_on: str) -> Rendered:
    """A conversation as text, and the parts of it to learn."""
    messages, tools, whole = conversation.messages, conversation.tools, loss_on == "all"
    if has_mute_turns(messages):
        return unmuted(template, messages, tools, loss_on_all=whole)
    if not whole:
        return template.render(messages, tools)
    text = template.text(messages, tools)
    return Rendered(text, [(0, len(text))])


def _left_out(template: ChatTemplate, conversation: Conversation) -> Iterator[str]:
    """What a conversation has and the template does not show."""
    messages, tools = conversation.messages, conversation.tools
    if any("tool_calls" in turn for turn in messages):
        without = [{key: value for key, value in turn.items() if key != "tool_calls"} for turn in messages]
        if template.text(messages, tools) == template.text(without, tools):
            yield "the chat template leaves out tool calls: the assistant would learn to say nothing; give another"
    if tools and template.text(messages, tools) == template.text(messages):
        yield "the chat template leaves out the tools: the model would have to guess them; give another"


def _labels(ids: list[int], offsets: list[tuple[int, int]], spans: list[tuple[int, int]]) -> list[int]:
    """The ids of tokens that lie in a span, even with one character, and `IGNORED` for all others."""
    labels = [IGNORED] * len(ids)
    coming = iter(spans)
    span = next(coming, None)
    for place, (start, end) in enumerate(offsets):
        while span and start >= span[1]:
            span = next(coming, None)
        if span is None:
            break
        # The first token of all follows nothing that it could be guessed from.
        if place and start < end and end > span[0]:
            labels[place] = ids[place]
    return labels


def _without(rendered: Rendered, dropped: Sequence[str]) -> Rendered:
    """The text without characters that would be dropped anyway: tokenizers count them and get all offsets wrong."""
    if not dropped:
        return rendered
    nothing = dict.fromkeys(map(ord, dropped))

    def moved(place: int) -> int:
        return len(rendered.text[:place].translate(nothing))

    return Rendered(rendered.text.translate(nothing), [(moved(start), moved(end)) for start, end in rendered.spans])
