"""A conversation in the terminal, with one candidate or with several at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from rich.console import Console
from rich.text import Text

from evals.candidates.asking import AskedCandidate
from evals.candidates.base import Answered
from evals.trying.prompts import row_of
from evals.trying.record import Record
from evals.trying.side_by_side import facts
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import printable

__all__ = ["talk"]

HELP = "/reset begins anew, /system TEXT sets the system turn and begins anew, Ctrl-D ends"


class _Thread:
    """What one candidate was told and said."""

    def __init__(self, candidate: AskedCandidate) -> None:
        self.candidate = candidate
        self.turns: list[dict[str, Any]] = []

    def ask(self, prompt: str, seed: int, record: Record, write: Callable[[str], Any]) -> tuple[Answered, bool]:
        """The answer, and whether it was already written in pieces. Without one, the prompt is forgotten."""
        turns = [*self.turns, {"role": "user", "content": prompt}]
        answers: list[Answered] = []
        streamed = False

        def piece(text: str) -> None:
            nonlocal streamed
            streamed = True
            write(text)

        row = row_of(turns)
        try:
            self.candidate.source.ask([row], lambda _, answered: answers.append(answered), seed=seed, stream=piece)
            (answered,) = answers
        except UserError as error:
            # A server may come back, and the conversation is still here.
            answered = Answered(None, error=str(error))
        if answered.text is not None:
            self.turns = [*turns, {"role": "assistant", "content": answered.text}]
            record.add(self.candidate.name, row, answered, self.candidate.identity["seed"])
        return answered, streamed


def talk(
    candidates: Sequence[AskedCandidate], console: Console, record: Record, *, system: str | None, seed: int
) -> None:
    """Ask whatever the user types, until the end of the input."""
    # Gives input() a line that can be edited, and the arrow keys a history.
    with suppress(ImportError):
        import readline  # noqa: F401
    console.print(HELP)
    threads = [_Thread(candidate) for candidate in candidates]
    _begin(threads, system)
    while True:
        try:
            said = input("> ").strip()
        except EOFError:
            console.print()
            return
        command, _, rest = said.partition(" ")
        if command == "/reset":
            _begin(threads, system)
        elif command == "/system":
            system = rest.strip() or None
            _begin(threads, system)
        elif command.startswith("/"):
            console.print(HELP)
        elif said:
            for thread in threads:
                _answer(thread, said, console, record, seed, named=len(threads) > 1)


def _begin(threads: Sequence[_Thread], system: str | None) -> None:
    for thread in threads:
        thread.turns = [{"role": "system", "content": system}] if system else []


def _answer(thread: _Thread, said: str, console: Console, record: Record, seed: int, *, named: bool) -> None:
    if named:
        console.print(Text(printable(thread.candidate.name), "bold"))

    def write(piece: str) -> None:
        console.print(Text(printable(piece)), end="", soft_wrap=True)

    answered, streamed = thread.ask(said, seed, record, write)
    if answered.text is None:
        console.print(Text(printable(f"no answer: {answered.error}"), "red"))
    elif streamed:
        console.print()
    else:
        console.print(Text(printable(answered.text)))
    console.print(Text(facts(answered), "dim"))
