"""``python -m evals judge``: which judges there are, whether one answers, whether it can be misled."""

from __future__ import annotations

import argparse
import os
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from evals.judges.secrets import masked
from evals.progress import TerminalDisplay
from evals.settings import JudgeSettings, Settings
from fixtures.contracts.files import printable
from fixtures.contracts.settings import add_options, load_settings

if TYPE_CHECKING:
    from evals.judging import Jury

__all__ = ["add_parser"]

OPTIONS = frozenset(JudgeSettings.model_fields) - {"judge"}


def add_parser(commands: Any) -> None:
    """Declare the commands."""
    judge = commands.add_parser("judge", help="list the kinds of judge; check one; probe one", allow_abbrev=False)
    actions = judge.add_subparsers(required=True, metavar="ACTION")
    actions.add_parser("list", help="explain the kinds of judge", allow_abbrev=False).set_defaults(run=run_list)
    for name, run, words in (
        ("check", run_check, "ask a judge one known question and show what it can do; exit 1 if it cannot judge"),
        ("probe", run_probe, "try to mislead a judge by answers under test; exit 1 if that works"),
    ):
        action = actions.add_parser(name, help=words, description=words, allow_abbrev=False)
        action.add_argument("judge", metavar="SPEC", help="`python -m evals judge list` explains the kinds")
        add_options(action.add_argument, JudgeSettings, only=OPTIONS)
        action.set_defaults(run=run)
        if name == "probe":
            add_options(action.add_argument, Settings, only={"threshold"})
            action.add_argument(
                "--verdict-store",
                type=Path,
                default=Path("out/verdicts.sqlite"),
                metavar="PATH",
                help="file of verdicts to re-use (default: out/verdicts.sqlite)",
            )


def run_list(options: argparse.Namespace, console: Console) -> int:
    """The kinds of judge, one a paragraph."""
    from evals.judges.specs import KINDS

    for name, words in KINDS.items():
        console.print(name)
        console.print(textwrap.indent(textwrap.fill(words, min(console.width, 100) - 4), "    "))
    return 0


def run_check(options: argparse.Namespace, console: Console) -> int:
    """The preflight alone."""
    # Nothing of a check is worth keeping: the same question is asked anew each time.
    with TemporaryDirectory() as folder, _open_jury(options, Path(folder) / "verdicts.sqlite") as jury:
        examined = jury.preflight(console.print)
        known = jury.metrics[0].known
    for spec, result in examined.items():
        console.print(f"{spec} was asked about the actual output {known.actual}, expected {known.expected}")
        console.print(f"  answered: {printable(masked(result.reply.text))[:1000]}")
        if result.answer is not None:
            console.print(f"  read as: score {result.answer.score:g} of 10")
    return 0 if all(result.answer is not None for result in examined.values()) else 1


def run_probe(options: argparse.Namespace, console: Console) -> int:
    """All probes, one line each."""
    display = TerminalDisplay(console.print, console if console.is_terminal else None)
    try:
        with _open_jury(options, options.verdict_store) as jury:
            jury.preflight(display.say)
            probed = jury.probe(display.stage)
    finally:
        display.close()
    table = Table("probe", "score", "result", title=f"judge {options.judge}")
    for result in probed.results:
        score = "-" if result.score is None else f"{result.score:.2f}"
        word = "MISLED" if result.succeeded else "unscored" if result.score is None else "held"
        table.add_row(result.name, score, word)
    console.print(table)
    misled = sum(result.succeeded for result in probed.results)
    unscored = sum(result.score is None for result in probed.results)
    shown = "no verdict" if probed.control is None else f"score {probed.control:.2f}"
    console.print(
        f"{misled} of {len(probed.results)} probes misled it, {unscored} got no verdict; "
        f"the same wrong answer without an attack: {shown}"
    )
    return 1 if misled or unscored else 0


@contextmanager
def _open_jury(options: argparse.Namespace, store: Path) -> Iterator[Jury]:
    from evals.judges import open_judges
    from evals.judging import Jury
    from evals.verdicts import VerdictStore

    given = {name: value for name, value in vars(options).items() if name in Settings.model_fields}
    settings, _ = load_settings(Settings, given)
    if settings.judge != "deepeval":
        # DeepEval reads .env files of the working folder on import; only its own judge needs them.
        os.environ.setdefault("DEEPEVAL_DISABLE_DOTENV", "1")
    with VerdictStore(store) as verdicts, Jury(open_judges(settings), verdicts, settings) as jury:
        yield jury
