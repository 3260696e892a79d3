"""Pairs as token ids: a prompt, the better answer, and the worse one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fixtures.conversations.faults import Fault, counted
from training.causal.templates import ChatTemplate, TemplateRefused
from training.causal.tokens import CHUNK, Losses, dropped_characters, shared, unknown_characters
from training.prefer.pairs import Pair

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["Part", "Row", "encode"]


@dataclass(frozen=True, slots=True)
class Row:
    """A pair for the model. An answer begins where its conversation parts from the prompt alone."""

    line: int
    prompt: list[int]
    chosen: list[int]
    rejected: list[int]

    @property
    def size(self) -> int:
        """Tokens of the prompt with the longer answer."""
        return len(self.prompt) + max(len(self.chosen), len(self.rejected))


@dataclass
class Part:
    """Rows that fit into the model, and the story of the others. ``sizes`` are before cutting."""

    rows: list[Row] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    losses: Losses = field(default_factory=Losses)
    tokens_lost: int = 0
    dropped: int = 0


def encode(tokenizer: PreTrainedTokenizerBase, template: ChatTemplate, pairs: Sequence[Pair], max_length: int) -> Part:
    """All pairs as rows of at most ``max_length`` tokens; one that the template cannot take is a fault."""
    part = Part()
    written: list[tuple[int, tuple[str, str, str]]] = []
    for pair in pairs:
        try:
            written.append((pair.line, _written(template, pair)))
        except TemplateRefused as refusal:
            part.faults.append(Fault(pair.line, str(refusal)))
    characters = Counter(one for _, texts in written for text in texts[1:] for one in text if not one.isspace())
    part.losses.characters = characters.total()
    dropped = dropped_characters(tokenizer, characters)
    part.losses.lost.update({character: characters[character] for character in dropped})
    for start in range(0, len(written), CHUNK):
        chunk = written[start : start + CHUNK]
        tokens = tokenizer([text for _, texts in chunk for text in texts], add_special_tokens=False)["input_ids"]
        for (line, texts), ids in zip(chunk, zip(*[iter(tokens)] * 3, strict=True), strict=True):
            for text, of_text in zip(texts[1:], ids[1:], strict=True):
                part.losses.lost.update(unknown_characters(tokenizer, text, of_text))
            prompt, chosen, rejected = ids
            start = min(shared(prompt, chosen), shared(prompt, rejected))
            row = Row(line, prompt[:start], chosen[start:], rejected[start:])
            part.sizes.append(row.size)
            _keep(part, row, max_length)
    return part


def _written(template: ChatTemplate, pair: Pair) -> tuple[str, str, str]:
    """The prompt, and the conversation with each answer."""
    return (
        template.text(pair.prompt, pair.tools, prompt=True),
        template.text([*pair.prompt, pair.chosen], pair.tools),
        template.text([*pair.prompt, pair.rejected], pair.tools),
    )


def _keep(part: Part, row: Row, max_length: int) -> None:
    if row.chosen == row.rejected:
        part.faults.append(Fault(row.line, "chosen and rejected are the same to this model: it sees no difference"))
        return
    room = max_length - len(row.prompt)
    short = Row(row.line, row.prompt, row.chosen[: max(room, 0)], row.rejected[: max(room, 0)])
    if short == row:
        part.rows.append(row)
    elif short.chosen == short.rejected:
        part.dropped += 1
        what = f"no difference is left within {counted(max_length, 'token')}; left out"
        part.faults.append(Fault(row.line, what, warning=True))
    else:
        part.rows.append(short)
        part.tokens_lost += sum(_answers(row)) - sum(_answers(short))
        what = f"longer than {counted(max_length, 'token')}; the end of an answer is cut off"
        part.faults.append(Fault(row.line, what, warning=True))


def _answers(row: Row) -> Iterator[int]:
    yield len(row.chosen)
    yield len(row.rejected)
