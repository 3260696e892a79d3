"""``python -m evals try``: a quick look at what models say, one or several side by side."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import Progress

from evals.candidates.settings import CandidateSettings
from evals.settings import Settings
from fixtures.contracts.errors import UserError
from fixtures.contracts.settings import add_options, load_settings

if TYPE_CHECKING:
    from evals.candidates.base import Answered, Candidate
    from evals.trying.record import Record
    from fixtures.conversations.rows import ChatRow

__all__ = ["add_parser"]

# Nothing is kept of a quick look but what --save names.
OPTIONS = frozenset(CandidateSettings.model_fields) - {"save_to", "candidate_revision"}


def add_parser(commands: Any) -> None:
    """Declare the command."""
    words = "ask models and show what they say, side by side; a conversation where no prompt is given"
    parser = commands.add_parser("try", help=words, description=words, allow_abbrev=False)
    parser.add_argument(
        "candidates",
        nargs="+",
        metavar="MODEL",
        help="a model folder, endpoint:MODEL@URL, openai:MODEL, ollama:MODEL, hf:FOLDER_OR_ID, or a file of answers",
    )
    parser.add_argument("--prompt", nargs="+", action="extend", metavar="TEXT", help="one or several prompts")
    parser.add_argument(
        "--prompts", type=Path, metavar="FILE", help="a prompt a line, or conversations (JSONL) with their references"
    )
    parser.add_argument("--system", metavar="TEXT", help="system turn, instead of those of --prompts")
    parser.add_argument("--samples", type=int, default=1, metavar="N", help="answers to each prompt (default: 1)")
    parser.add_argument("--save", type=Path, metavar="FILE", help="add what was seen, as conversations (JSONL)")
    add_options(parser.add_argument, CandidateSettings, only=OPTIONS)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, console: Console) -> int:
    """Show the answers; 1 if a prompt was left without one."""
    from evals.candidates import open_candidates
    from evals.candidates.asking import AskedCandidate
    from evals.trying.record import Record
    from evals.trying.talk import talk

    given = {name: getattr(options, name) for name in OPTIONS}
    settings, _ = load_settings(CandidateSettings, given, whole=Settings)
    _check(options, settings)
    rows = _rows(options)
    candidates = open_candidates(options.candidates, settings)
    files = [candidate.name for candidate in candidates if not isinstance(candidate, AskedCandidate)]
    if files and not (options.prompts and rows and rows[0].reference and options.system is None):
        raise UserError(f"candidate {files[0]} is a file of answers: it needs the --prompts that were answered, as is")
    record = Record(options.save)
    if rows is None:
        asked = [candidate for candidate in candidates if isinstance(candidate, AskedCandidate)]
        talk(asked, console, record, system=options.system, seed=settings.candidate_seed)
        return 0
    return _show(rows, candidates, options.samples, settings.candidate_seed, record, console)


def _check(options: argparse.Namespace, settings: CandidateSettings) -> None:
    if len(set(options.candidates)) < len(options.candidates):
        raise UserError("a candidate is named twice; several answers of one are --samples N with --temperature X")
    if options.samples < 1:
        raise UserError(f"--samples is {options.samples}: must be 1 or more")
    if options.samples > 1 and not settings.temperature:
        raise UserError(f"--samples {options.samples} needs a --temperature above 0: else all of them are the same")
    if options.prompt and options.prompts:
        raise UserError("--prompt and --prompts exclude each other")
    if not (options.prompt or options.prompts):
        if not sys.stdin.isatty():
            raise UserError("no prompt: give --prompt TEXT or --prompts FILE; only a terminal can hold a conversation")
        if options.samples > 1:
            raise UserError("--samples is for --prompt and --prompts: a conversation goes on from one answer")


def _rows(options: argparse.Namespace) -> list[ChatRow] | None:
    """The rows to answer; None for a conversation."""
    from evals.trying.prompts import read_prompts, row_of, with_system

    if options.prompts:
        return with_system(read_prompts(options.prompts), options.system)
    if options.prompt:
        turns = [[{"role": "user", "content": text}] for text in options.prompt]
        return with_system((row_of(turn, number) for number, turn in enumerate(turns, 1)), options.system)
    return None


def _show(
    rows: list[ChatRow], candidates: list[Candidate], samples: int, seed: int, record: Record, console: Console
) -> int:
    from evals.trying.side_by_side import show_answers

    answers: list[list[dict[str, Answered]]] = []
    # Gone when all is answered; where nothing can be redrawn, nothing is drawn.
    with Progress(console=console, transient=True, disable=not console.is_interactive) as progress:
        task = progress.add_task("answering", total=len(candidates) * samples * len(rows))

        def advance(steps: int) -> None:
            progress.advance(task, steps)

        for candidate in candidates:
            answers.append([_ask(candidate, rows, seed + number, record, advance) for number in range(samples)])
    for number, row in enumerate(rows, 1):
        seen = [[sample[row.id] for sample in by_candidate] for by_candidate in answers]
        names = [candidate.name for candidate in candidates]
        show_answers(console, row, f"{number} of {len(rows)}", names, seen)
    for candidate in candidates:
        for note in candidate.notes:
            console.print(f"note: {candidate.name}: {note}")
    complete = all(answered.error is None for each in answers for sample in each for answered in sample.values())
    return 0 if complete else 1


def _ask(
    candidate: Candidate, rows: list[ChatRow], seed: int, record: Record, progress: Callable[[int], None]
) -> dict[str, Answered]:
    from evals.candidates.asking import AskedCandidate

    if not isinstance(candidate, AskedCandidate):
        return candidate.answer(rows, progress=progress)
    answers: dict[str, Answered] = {}

    def finished(row: ChatRow, answered: Answered) -> None:
        answers[row.id] = answered
        record.add(candidate.name, row, answered, seed if candidate.identity["temperature"] else None)
        progress(1)

    candidate.source.ask(rows, finished, seed=seed)
    return answers
