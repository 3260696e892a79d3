"""``hosted check``: is the data good, and what would the job cost? Nothing leaves this machine."""

from __future__ import annotations

from statistics import median

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from fixtures.conversations.faults import Fault, counted, in_words, refuse_errors
from fixtures.conversations.lines import refuse_unreadable
from training.hosted.rules import CheckedFile, check_file
from training.hosted.settings import CheckSettings
from training.hosted.tokens import Counter, token_counter

__all__ = ["automatic_epochs", "check"]


def check(settings: CheckSettings, console: Console) -> None:
    """Print all warnings, lengths and the cost. Raises UserError with every fault of both files."""
    assert settings.train_file is not None
    refuse_unreadable(path for path in (settings.train_file, settings.eval_file) if path is not None)
    counter = token_counter()
    files = [check_file(settings.train_file, counter=counter, max_tokens=settings.max_tokens, to_learn=True)]
    if settings.eval_file is not None:
        other = check_file(settings.eval_file, counter=counter, max_tokens=settings.max_tokens, to_learn=False)
        files.append(_with_overlap(files[0], other))
    refuse_errors([one.checked for one in files])
    for checked in files:
        console.print(f"{checked.path}: {counted(checked.file.rows, 'conversation')}, no errors", markup=False)
        for line in in_words(checked.faults):
            console.print(f"  {line}", markup=False)
    console.print(_lengths(files))
    console.print(f"tokens: {counter.how}", markup=False)
    _cost(files[0], settings, counter, console)


def automatic_epochs(examples: int) -> int:
    """The rule for ``n_epochs`` in OpenAI's Cookbook ("Data preparation and analysis for chat model fine-tuning").

    Three epochs, more for fewer than 33 examples so that 100 are seen, at most
    25; fewer for very many. The service does not say what it does today.
    """
    if 3 * examples < 100:
        return min(25, 100 // examples)
    return max(1, 25_000 // examples) if 3 * examples > 25_000 else 3


def _cost(train: CheckedFile, settings: CheckSettings, counter: Counter, console: Console) -> None:
    billed = sum(min(length, settings.max_tokens) for length in train.tokens)
    examples = len(train.tokens)
    epochs = settings.n_epochs or automatic_epochs(examples)
    about = "" if counter.exact else "about "
    console.print(
        f"to learn: {about}{billed:,} tokens x {counted(epochs, 'epoch')} = {about}{billed * epochs:,} tokens"
    )
    if settings.n_epochs is None:
        console.print(
            f"  epochs: auto; {epochs} by the rule of OpenAI's Cookbook for {counted(examples, 'example')}, but the "
            "service may choose others (3 were seen for 20 examples)",
            markup=False,
        )
    if settings.price_per_million is None:
        console.print("cost: unknown; give the --price-per-million tokens of your model")
    else:
        cost = billed * epochs / 1e6 * settings.price_per_million
        console.print(f"cost: {about}{cost:,.2f} at {settings.price_per_million:g} per million tokens")


def _with_overlap(train: CheckedFile, other: CheckedFile) -> CheckedFile:
    known = {conversation.digest for conversation in train.file.conversations}
    faults = [
        Fault(conversation.line, f"also in {train.path}: says nothing about unseen conversations", warning=True)
        for conversation in other.file.conversations
        if conversation.digest in known
    ]
    return CheckedFile(other.file, other.faults + faults, other.tokens)


def _lengths(files: list[CheckedFile]) -> Table:
    table = Table(title="tokens of a conversation", box=SIMPLE_HEAD)
    for heading in ("", "rows", "min", "median", "max", "in all"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for name, checked in zip(("train", "validation"), files, strict=False):
        lengths = checked.tokens
        figures = (len(lengths), min(lengths), round(median(lengths)), max(lengths), sum(lengths))
        table.add_row(name, *(f"{figure:,}" for figure in figures))
    return table
