"""``python -m evals verdicts``: what a store holds, and moving or forgetting it."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from evals.verdicts import VerdictStore
from evals.verdicts.database import is_database
from evals.verdicts.summary import Selection, group, judge_name, seconds_of
from evals.verdicts.tables import table_of_groups, table_of_pairs
from evals.verdicts.transfer import read_lines, to_lines
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import printable, write_atomic

__all__ = ["add_parser"]

DEFAULT = Path("out/verdicts.sqlite")


def add_parser(subparsers: Any) -> None:
    """Declare the command."""
    verdicts = subparsers.add_parser(
        "verdicts", help="list, prune, export and import the verdicts in a store", allow_abbrev=False
    )
    commands = verdicts.add_subparsers(required=True, metavar="COMMAND")

    listing = _add(commands, "list", run_list, "what the store holds, by judge, metric and score mode")
    listing.add_argument("--pairs", action="store_true", help="show the single verdicts")
    listing.add_argument("--judge", metavar="TEXT", help="only judges whose kind:model contains TEXT")
    listing.add_argument("--pair-contains", metavar="TEXT", help="only pairs whose actual or expected contains TEXT")
    listing.add_argument("--json", action="store_true", help="print JSON")

    prune = _add(commands, "prune", run_prune, "forget verdicts that meet all the conditions given")
    prune.add_argument("--judge", metavar="TEXT", help="of judges whose kind:model contains TEXT")
    prune.add_argument("--older-than", metavar="AGE", help="older than so many s, m, h, d or w, as 30d")
    prune.add_argument("--metric", metavar="PREFIX", help="of metrics whose fingerprint begins so")
    prune.add_argument("--score-mode", choices=["raw", "weighted"], help="of this score mode")
    prune.add_argument("--yes", action="store_true", help="do it; without, only say what would be done")

    _add(commands, "export", run_export, "write all verdicts to a JSONL file", file="to write")
    importing = _add(commands, "import", run_import, "add the verdicts of an exported file", file="to read")
    importing.add_argument("--create", action="store_true", help="start a new store if there is none")


def _add(commands: Any, name: str, run: Any, text: str, file: str | None = None) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
    if file is not None:
        parser.add_argument("file", type=Path, metavar="FILE", help=f"JSONL file {file}")
    parser.add_argument("store", nargs="?", type=Path, metavar="STORE", help=f"the store (default: {DEFAULT})")
    parser.add_argument("--verdict-store", type=Path, metavar="PATH", help="the same")
    parser.set_defaults(run=run)
    return parser


def run_list(arguments: argparse.Namespace, console: Console) -> int:
    """Show groups of verdicts, or single ones."""
    selection = Selection(judge=arguments.judge, pair_contains=arguments.pair_contains)
    with _store(arguments) as store:
        records = store.records()
    chosen = [record for record in records if record in selection]
    if arguments.json:
        rows: list[Any] = chosen if arguments.pairs else group(chosen)
        # ASCII: bytes that a terminal obeys are escaped, too.
        console.out(json.dumps([row.entry() for row in rows], indent=2), highlight=False)
        return 0
    console.print(table_of_pairs(chosen) if arguments.pairs else table_of_groups(group(chosen)), soft_wrap=False)
    _say(console, f"{len(chosen)} of {len(records)} verdicts in {store.path}")
    return 0


def run_prune(arguments: argparse.Namespace, console: Console) -> int:
    """Remove verdicts, or say which ones would be removed."""
    age = arguments.older_than
    selection = Selection(
        judge=arguments.judge,
        metric=arguments.metric,
        score_mode=arguments.score_mode,
        created_before=None if age is None else time.time() - seconds_of(age),
    )
    if selection == Selection():
        raise UserError("say what to prune: --judge, --older-than, --metric or --score-mode")
    with _store(arguments) as store:
        records = store.records()
        chosen = [record for record in records if record in selection]
        console.print(table_of_groups(group(chosen)), soft_wrap=False)
        count = f"{len(chosen)} of {len(records)} verdicts in {store.path}"
        if not arguments.yes:
            _say(console, f"would remove {count}; nothing was changed: add --yes to remove them")
        else:
            store.remove([record.asked.key for record in chosen])
            _say(console, f"removed {count}")
    return 0


def run_export(arguments: argparse.Namespace, console: Console) -> int:
    """Write every verdict to a file."""
    with _store(arguments) as store:
        if arguments.file.resolve() == store.path.resolve():
            raise UserError(f"{arguments.file} is the store itself; name another file")
        records = store.records()
    write_atomic(arguments.file, to_lines(records))
    _say(console, f"exported {len(records)} verdicts from {store.path} to {arguments.file}")
    return 0


def run_import(arguments: argparse.Namespace, console: Console) -> int:
    """Add verdicts from a file; those in the store win."""
    try:
        data = arguments.file.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {arguments.file}: {error.strerror or error}") from error
    lines = read_lines(data, str(arguments.file))
    with _store(arguments) as store:
        before = store.get_many(record.asked for record in lines.values())
        held = store.add(list(lines.values()))
    there = sum(record.asked.key in before for record in lines.values())
    _say(console, f"imported {len(lines) - there} verdicts into {store.path}; {there} were there already")
    for (number, record), kept in zip(lines.items(), held, strict=True):
        if kept.answer.score != record.answer.score:
            pair = f"actual {record.asked.judgement.actual!r}, expected {record.asked.judgement.expected!r}"
            _say(
                console,
                f"line {number} has another score, {record.answer.score:g}; the store keeps {kept.answer.score:g}: "
                f"{judge_name(record)}, {pair}, repeat {record.asked.repeat}",
            )
    return 0


@contextmanager
def _store(arguments: argparse.Namespace) -> Iterator[VerdictStore]:
    """The store that the user named; it must be there already."""
    if arguments.store is not None and arguments.verdict_store is not None:
        raise UserError(f"two stores are named: {arguments.store} and --verdict-store {arguments.verdict_store}")
    path = arguments.store or arguments.verdict_store or DEFAULT
    if not path.exists() and not getattr(arguments, "create", False):
        raise UserError(f"there is no verdict store {path}; name one with --verdict-store")
    # An evaluation sets such a file aside; here it is more likely that a wrong file was named.
    if path.is_file() and not is_database(path):
        raise UserError(f"{path} is no verdict store: it is no SQLite database")
    with VerdictStore(path) as store:
        try:
            yield store
        finally:
            errors = Console(stderr=True)
            for notice in store.notices:
                _say(errors, f"note: {notice}")


def _say(console: Console, text: str) -> None:
    console.print(Text(printable(text)), soft_wrap=True)
