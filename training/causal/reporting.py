"""What is said of the data before anything long begins: warnings by line, lengths, and what gets lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from rich.console import Console

from fixtures.contracts.errors import UserError
from fixtures.conversations.faults import Checked, counted, in_words
from training.causal.tokens import Losses
from training.language_models import LanguageModel

__all__ = [
    "Lengths",
    "lengths",
    "nothing_left",
    "tell_of_lost_characters",
    "tell_warnings",
]


class Lengths(NamedTuple):
    """How long texts are, in tokens, before cutting."""

    texts: int
    tokens: int
    shortest: int
    median: int
    p90: int
    longest: int


def lengths(sizes: Sequence[int]) -> Lengths:
    """What is to be said of so many tokens a text."""
    known = np.array(sizes or [0])
    low, median, p90, high = (int(value) for value in np.percentile(known, [0, 50, 90, 100], method="nearest"))
    return Lengths(len(sizes), int(known.sum()), low, median, p90, high)


def nothing_left(part: str, max_length: int, base: LanguageModel) -> UserError:
    """The error for a ``part`` of which no row fits into ``max_length`` tokens."""
    mend = "raise --max-length" if max_length < base.limit else f"{base.name} takes no more: shorten them"
    return UserError(f"nothing to learn is left of the {part} part within {counted(max_length, 'token')}; {mend}")


def tell_warnings(files: Sequence[Checked], noun: str, console: Console, *, complete: bool) -> None:
    """Print what each file holds, and its warnings: all their lines, or the first of them."""
    for file in files:
        console.print(f"{file.path}: {counted(file.rows, noun)}", markup=False)
        for line in in_words(file.faults, complete=complete):
            console.print(f"  {line}", markup=False)


def tell_of_lost_characters(name: str, losses: Losses, console: Console) -> None:
    """Warn of characters that the tokenizer does not know."""
    if not losses.lost:
        return
    most = [character for character, _ in losses.lost.most_common(6)]
    shown = ", ".join([*most[:5], *(["..."] if len(most) > 5 else [])])
    console.print(
        f"{name}: warning: the tokenizer does not know {losses.share:.1%} of the characters ({shown}); "
        "the model will never see them",
        markup=False,
    )
