"""Documents as token ids, in pieces that fit into the model.

A document stands between the token that begins texts and the one that ends
them, as in pretraining; a model without the former sees the latter in its
place (GPT-2's and Qwen's documents followed each other so). A longer document
goes on in the next piece, which begins with the last token of the one before:
so each token is learned once, but for the first of a document.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fixtures.contracts.errors import UserError
from fixtures.conversations.faults import Fault
from training.causal.tokens import IGNORED, Losses, Row, dropped_characters, unknown_characters
from training.pretrain.documents import Document

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["Part", "in_pieces"]

CHUNK = 50
"""Documents tokenized at once."""


@dataclass
class Part:
    """Documents in pieces. ``sizes`` are tokens of whole documents, ``size`` is in bytes of UTF-8."""

    documents: list[Document]
    rows: list[Row] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    """By the digest of the document."""
    losses: Losses = field(default_factory=Losses)

    @property
    def learned(self) -> int:
        """Tokens to learn."""
        return sum(len(row.ids) - 1 for row in self.rows)

    @property
    def size(self) -> int:
        """Bytes of the documents."""
        return sum(len(document.text.encode()) for document in self.documents)


def in_pieces(tokenizer: PreTrainedTokenizerBase, documents: Sequence[Document], max_length: int) -> Part:
    """Pieces of at most ``max_length`` tokens. Raises UserError for a tokenizer without a token that ends texts."""
    end = tokenizer.eos_token_id
    if end is None:
        raise UserError("the base model's tokenizer has no token that ends a text: documents would run into each other")
    start = end if tokenizer.bos_token_id is None else tokenizer.bos_token_id
    part = Part(list(documents))
    characters = Counter(character for one in documents for character in one.text if not character.isspace())
    part.losses.characters = characters.total()
    dropped = dropped_characters(tokenizer, characters)
    part.losses.lost.update({character: characters[character] for character in dropped})
    special = [token for token in tokenizer.all_special_tokens if token]
    for first in range(0, len(documents), CHUNK):
        chunk = documents[first : first + CHUNK]
        tokens = tokenizer([one.text for one in chunk], add_special_tokens=False)["input_ids"]
        for document, ids in zip(chunk, tokens, strict=True):
            found = next((token for token in special if token in document.text), None)
            if found:
                what = f"holds {found}, which the tokenizer takes for a mark of its own"
                part.faults.setdefault(document.digest, []).append(Fault(document.line, what, warning=True))
            part.losses.lost.update(unknown_characters(tokenizer, document.text, ids))
            part.sizes.append(len(ids) + 2)
            part.rows += _pieces(document.line, [start, *ids, end], max_length)
    return part


def _pieces(line: int, ids: list[int], max_length: int) -> list[Row]:
    pieces = [ids[at : at + max_length] for at in range(0, len(ids) - 1, max_length - 1)]
    return [Row(line, piece, [IGNORED, *piece[1:]]) for piece in pieces]
