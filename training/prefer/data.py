"""The preferences to learn and those to choose on, checked as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from fixtures.contracts.errors import UserError
from fixtures.conversations.faults import Checked, Fault, counted, refuse_errors
from fixtures.conversations.lines import refuse_unreadable
from training.causal.reporting import lengths, nothing_left, tell_of_lost_characters, tell_warnings
from training.causal.templates import ChatTemplate
from training.causal.tokens import refuse_strange_tokens
from training.language_models import LanguageModel
from training.prefer.pairs import Pair, PairFile, read_pairs
from training.prefer.settings import PreferSettings
from training.prefer.tokens import Part, encode

__all__ = ["Sources", "prepare", "read_sources"]


@dataclass(frozen=True)
class Sources:
    """The usable pairs of both parts, and the files they come from: one file, or two."""

    files: list[PairFile]
    train: list[Pair]
    validation: list[Pair]

    @property
    def texts(self) -> list[str]:
        """What is said in the train part."""
        return [turn["content"] for pair in self.train for turn in (*pair.prompt, pair.chosen, pair.rejected)]

    def checked(self, parts: Sequence[Part] = ()) -> list[Checked]:
        """The files with their faults, and with those found in ``parts``, train and validation."""
        found = [part.faults for part in parts] or [[], []]
        # Both parts may be of one file.
        later = found if len(self.files) == 2 else [found[0] + found[1]]
        return [
            replace(file.checked(), faults=[*file.faults, *more]) for file, more in zip(self.files, later, strict=True)
        ]


def read_sources(settings: PreferSettings) -> Sources:
    """Read the files. Their faults are in them; UserError only for one that cannot be read, or not be parted."""
    paths = [path for path in (settings.train_file, settings.eval_file) if path is not None]
    refuse_unreadable(paths)
    files = [read_pairs(path) for path in paths]
    if len(files) == 1:
        return Sources(files, *_split(files[0], settings.validation_share, settings.seed))
    train, other = files
    asked = {pair.asked for pair in train.pairs}
    what = f"its prompt is also in {train.path}: says nothing about unseen prompts"
    other.faults += [Fault(pair.line, what, warning=True) for pair in other.pairs if pair.asked in asked]
    return Sources(files, train.pairs, other.pairs)


def prepare(
    sources: Sources,
    base: LanguageModel,
    template: ChatTemplate,
    *,
    settings: PreferSettings,
    max_length: int,
    console: Console,
) -> tuple[Part, Part]:
    """Tokenize and cut both parts, and print how long they are and what was lost.

    Raises UserError with every fault of both files, for a tokenizer that does
    not belong to its model, and when nothing is left.
    """
    train, validation = (
        encode(base.tokenizer, template, pairs, max_length) for pairs in (sources.train, sources.validation)
    )
    parts = {"train": train, "validation": validation}
    refuse_errors(sources.checked([train, validation]))
    rows = (row for part in parts.values() for row in part.rows)
    refuse_strange_tokens(base, (ids for row in rows for ids in (row.prompt, row.chosen, row.rejected)))
    tell_warnings(sources.checked([train, validation]), "pair", console, complete=settings.check_only)
    _show(parts, console)
    for name, part in parts.items():
        if part.tokens_lost:
            console.print(f"{name}: {counted(part.tokens_lost, 'token')} of answers cut off", markup=False)
        tell_of_lost_characters(name, part.losses, console)
    for name, part in parts.items():
        if not part.rows:
            raise nothing_left(name, max_length, base)
    return train, validation


def _split(file: PairFile, share: float, seed: int) -> tuple[list[Pair], list[Pair]]:
    """Part of the distinct prompts, so that none is on both sides."""
    distinct = list(dict.fromkeys(pair.asked for pair in file.pairs))
    count = max(1, round(len(distinct) * share))
    if len(distinct) <= count and all(fault.warning for fault in file.faults):
        raise UserError(
            f"{file.path}: {counted(len(distinct), 'distinct prompt')} cannot be parted into one to learn and one to "
            "choose on; give an --eval-file"
        )
    chosen = {distinct[place] for place in np.random.default_rng(seed).permutation(len(distinct))[:count]}
    return (
        [pair for pair in file.pairs if pair.asked not in chosen],
        [pair for pair in file.pairs if pair.asked in chosen],
    )


def _show(parts: dict[str, Part], console: Console) -> None:
    table = Table(title="tokens of a prompt with its longer answer", box=SIMPLE_HEAD)
    for heading in ("", "pairs", "min", "median", "p90", "max", "chosen longer"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for name, part in parts.items():
        size = lengths(part.sizes)
        longer = sum(len(row.chosen) > len(row.rejected) for row in part.rows) / max(len(part.rows), 1)
        figures = (size.texts, size.shortest, size.median, size.p90, size.longest)
        table.add_row(name, *(f"{figure:,}" for figure in figures), f"{longer:.0%}")
    console.print(table)
