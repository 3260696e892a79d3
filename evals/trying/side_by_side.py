"""Answers to some prompts, those of several candidates beside each other."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Column, Table
from rich.text import Text

from evals.candidates.base import Answered
from fixtures.contracts.files import printable
from fixtures.conversations.rows import ChatRow

__all__ = ["facts", "show_answers"]


def facts(answered: Answered) -> str:
    """Tokens, seconds and why it stopped, where they are known."""
    known = (
        None if answered.tokens_in is None else f"{answered.tokens_in:,} tokens in",
        None if answered.tokens_out is None else f"{answered.tokens_out:,} out",
        None if answered.seconds is None else f"{answered.seconds:.2f} s",
        answered.finish_reason,
    )
    return printable(", ".join(fact for fact in known if fact))


def show_answers(
    console: Console, row: ChatRow, title: str, names: Sequence[str], samples: Sequence[Sequence[Answered]]
) -> None:
    """One prompt with its reference, and each candidate's answers to it (candidates x samples)."""
    console.print(Rule(title))
    for turn in row.messages:
        console.print(_text(f"{turn['role']}: {turn['content']}"), soft_wrap=True)
    if row.reference:
        console.print(_text(f"reference: {row.reference}"), soft_wrap=True)
    console.print()
    if len(names) == 1:
        for answered in samples[0]:
            console.print(Padding(_body(answered), (0, 0, 0, 2)), soft_wrap=False)
            console.print(_text(facts(answered), "dim"))
        return
    table = Table(*(Column(_text(name), ratio=1) for name in names), expand=True)
    for answers in zip(*samples, strict=True):
        table.add_row(*(_body(answered) for answered in answers))
        table.add_row(*(_text(facts(answered), "dim") for answered in answers), end_section=True)
    console.print(table, soft_wrap=False)


def _body(answered: Answered) -> Text:
    if answered.text is None:
        return _text(f"no answer: {answered.error}", "red")
    return _text(answered.text) if answered.text.strip() else _text("(nothing but white space)", "dim")


def _text(text: str, style: str = "") -> Text:
    return Text(printable(text), style, overflow="fold")
