"""Rows of token ids, and whether a tokenizer is fit for a text and belongs to its model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING

from fixtures.contracts.errors import UserError
from training.language_models import LanguageModel

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = [
    "CHUNK",
    "IGNORED",
    "Losses",
    "Row",
    "dropped_characters",
    "refuse_strange_tokens",
    "shared",
    "unknown_characters",
]

IGNORED = -100
"""The label of a token that is not to be learned."""

CHUNK = 500
"""Texts tokenized at once."""


@dataclass(frozen=True, slots=True)
class Row:
    """A text for the model: ids, and for each the same id as label, or `IGNORED`. ``line`` is where it comes from."""

    line: int
    ids: list[int]
    labels: list[int]

    @property
    def learned(self) -> int:
        """Tokens that the model is to learn to say."""
        return sum(label != IGNORED for label in self.labels)


@dataclass
class Losses:
    """The characters that the model will not see, of so many, blanks not counted."""

    characters: int = 0
    lost: Counter[str] = field(default_factory=Counter)

    @property
    def share(self) -> float:
        """The share of characters that is lost."""
        return self.lost.total() / self.characters if self.characters else 0.0


def dropped_characters(tokenizer: PreTrainedTokenizerBase, characters: Iterable[str]) -> list[str]:
    """The characters that the tokenizer passes over in silence, without even an unknown token."""
    alone = list(characters)
    if not alone:
        return []
    tokens = tokenizer(alone, add_special_tokens=False)["input_ids"]
    return [
        character
        for character, ids in zip(alone, tokens, strict=True)
        if tokenizer.unk_token_id not in ids and not tokenizer.decode(ids).strip()
    ]


def unknown_characters(tokenizer: PreTrainedTokenizerBase, text: str, ids: Sequence[int]) -> Iterator[str]:
    """The characters of ``text``, whose tokens are ``ids``, that became an unknown token."""
    if tokenizer.unk_token_id not in ids:
        return
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    for token, (start, end) in zip(ids, offsets, strict=True):
        # GPT-2's "unknown" is its end token, which a template may well write.
        if token == tokenizer.unk_token_id and text[start:end] != tokenizer.unk_token:
            yield from (character for character in text[start:end] if not character.isspace())


def refuse_strange_tokens(base: LanguageModel, rows: Iterable[Sequence[int]]) -> None:
    """Raise UserError for a token that the model does not know."""
    known = base.config.get_text_config().vocab_size
    strange = max((max(ids) for ids in rows if ids), default=0)
    if strange >= known:
        raise UserError(
            f"the tokenizer of {base.name} gives token {strange} ({base.tokenizer.convert_ids_to_tokens(strange)!r}), "
            f"but its model knows {known:,} tokens only: they do not belong together"
        )


def shared(left: Iterable[object], right: Iterable[object]) -> int:
    """How many items, tokens or characters, two sequences have in common before they part."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(left, right, strict=False)))
