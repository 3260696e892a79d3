"""``python -m evals duel``: two candidates answer the same questions, a judge compares the answers in both orders."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from evals.commands.gate import EXIT_CODES
from evals.commands.options import options_of
from evals.duel.settings import OPTIONS, DuelOptions, DuelSettings
from evals.progress import TerminalDisplay
from fixtures.contracts.settings import add_options, load_settings

__all__ = ["add_parser", "run"]

_CODES = "exit code 0; with --margin: 0 if B is no worse, 3 worse, 4 undecided; 5 if too many rows have no verdict"


def add_parser(commands: Any) -> None:
    """Declare the command."""
    words = "two candidates' answers to the same rows, compared by a judge in both orders"
    duel = commands.add_parser(
        "duel",
        help=words,
        description=f"{words[:1].upper()}{words[1:]}. A row is won only if the judge says so both times. "
        f"Figures above 0 speak for B. {_CODES[0].upper()}{_CODES[1:]}.",
        allow_abbrev=False,
    )
    kinds = "a folder made by `python -m training chat`, answers.jsonl or its folder, endpoint:MODEL@URL, "
    kinds += "openai:MODEL, ollama:MODEL or hf:FOLDER"
    duel.add_argument("a", metavar="A", help=f"what there was before: {kinds}")
    duel.add_argument("b", metavar="B", help="what is new: the same kinds")
    duel.add_argument("--data", type=Path, required=True, metavar="FILE", help="conversations (JSONL), as for training")
    duel.add_argument(
        "--ratings",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="what people said of the same pairs (.csv, .jsonl): `python -m evals label duel`; repeatable",
    )
    add_options(duel.add_argument, DuelOptions)
    add_options(duel.add_argument, DuelSettings, only=OPTIONS)
    duel.set_defaults(run=run)


def run(options: argparse.Namespace, console: Console) -> int:
    """Hold the duel, write it, say what came of it."""
    ours = options_of(DuelOptions, options)
    given = {name: getattr(options, name) for name in OPTIONS}
    settings, notes = load_settings(DuelSettings, given)
    if settings.judge != "deepeval":
        # DeepEval reads .env files of the working folder on import; only its own judge needs them.
        os.environ.setdefault("DEEPEVAL_DISABLE_DOTENV", "1")
    from evals.duel.holding import hold
    from evals.duel.words import describe
    from evals.duel.writing import write
    from evals.evaluation import DryRun

    display = TerminalDisplay(console.print, console if console.is_terminal else None)
    for note in notes:
        display.say(note)
    try:
        duel = hold(options.a, options.b, options.data, settings, ours, options.ratings, display)
    except DryRun as dry:
        console.print(str(dry))
        return 0
    finally:
        display.close()
    written = write(duel, settings.save_to)
    console.print(Text(describe(duel)))
    console.print(f"\nwritten: {', '.join(map(str, written))}")
    if duel.gate.outcome == "not evaluated":
        return 0
    return EXIT_CODES[duel.gate.outcome]
