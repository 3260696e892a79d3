"""``python -m evals label``: samples, or pairs of answers, for people to rate, and their ratings taken back."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pydantic import Field
from rich.console import Console

from evals.commands.calibrate import add_label_options, scale_of
from evals.commands.options import CommandOptions, open_report, options_of
from fixtures.contracts.settings import add_options

__all__ = ["add_parser"]


class DrawOptions(CommandOptions):
    """How many samples are drawn."""

    count: int = Field(100, ge=1, description="samples drawn at random: they measure the judge")
    focus: int = Field(0, ge=0, description="further samples on which judge and label differ, or the judge wavers")
    seed: int = Field(0, ge=0, description="of the drawing")


class DuelOptions(CommandOptions):
    """How many rows of a duel are drawn, and the sides."""

    count: int | None = Field(None, ge=1, description="rows drawn at random; default: all")
    seed: int = Field(0, ge=0, description="of the drawing, and of which answer stands on the left")


class ReadOptions(CommandOptions):
    """What a rating looks like."""

    pass_from: float | None = Field(None, ge=0, le=10, description="ratings are scores from 0 to 10; this one passes")


def add_parser(commands: Any) -> None:
    """Declare the commands."""
    label = commands.add_parser(
        "label", help="draw samples for people to rate; take the ratings back", allow_abbrev=False
    )
    actions = label.add_subparsers(required=True, metavar="ACTION")

    draw = _add(actions, "draw", run_draw, "write samples of a report for raters")
    draw.add_argument("report", type=Path, metavar="REPORT", help="report.json of an evaluation, or its folder")
    add_options(draw.add_argument, DrawOptions)
    draw.add_argument("--blind", action="store_true", help="do not tell raters the expected category")
    draw.add_argument("--output", type=Path, required=True, metavar="FILE", help=".csv for spreadsheets, or .jsonl")

    duel = _add(actions, "duel", run_duel, "write pairs of answers of a duel for raters, blind to whose they are")
    duel.add_argument("duel", type=Path, metavar="DUEL", help="duel.json, or its folder; sides.json is kept there")
    add_options(duel.add_argument, DuelOptions)
    duel.add_argument("--output", type=Path, required=True, metavar="FILE", help=".csv for spreadsheets, or .jsonl")

    read = _add(actions, "read", run_read, "check the files that raters filled in, and join them")
    read.add_argument("files", nargs="+", type=Path, metavar="FILE", help="filled in by raters (.csv, .jsonl)")
    read.add_argument("--report", type=Path, required=True, metavar="REPORT", help="that the samples were drawn from")
    read.add_argument("--allow-missing", action="store_true", help="leave out ratings that are missing")
    add_label_options(read)
    add_options(read.add_argument, ReadOptions)
    read.add_argument("--output", type=Path, required=True, metavar="FILE", help="for `calibrate --ratings`")


def _add(actions: Any, name: str, run: Any, words: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=words, description=words, allow_abbrev=False)
    parser.set_defaults(run=run)
    return parser


def run_draw(options: argparse.Namespace, console: Console) -> int:
    """Write the samples and say what to do with them."""
    from evals.calibration.drawing import draw, rows_for_raters
    from evals.calibration.tables import write_table

    settings = options_of(DrawOptions, options)
    report, path = open_report(options.report)
    drawn = draw(report, settings.count, focus=settings.focus, seed=settings.seed)
    write_table(options.output, rows_for_raters(drawn, blind=options.blind))
    odd = f", and {settings.focus} odd ones" if settings.focus else ""
    console.print(f"{options.output}: {settings.count:,} of {len(report.samples):,} samples, drawn at random{odd}")
    console.print("Each rater gets a copy, and fills in rating (pass or fail) and, once, rater (a name). Then:")
    console.print(f"  python -m evals label read FILE... --report {path} --output ratings.jsonl")
    console.print(f"  python -m evals calibrate {path} --ratings ratings.jsonl")
    return 0


def run_duel(options: argparse.Namespace, console: Console) -> int:
    """Write the pairs, keep whose they are, and say what to do with them."""
    from evals.calibration.tables import write_table
    from evals.duel.sheet import SIDES, draw_sheet, keep_sides
    from evals.duel.writing import read_duel

    settings = options_of(DuelOptions, options)
    rows, sides = draw_sheet(read_duel(options.duel), settings.count, seed=settings.seed)
    folder = options.duel if options.duel.is_dir() else options.duel.parent
    # First: a sheet whose sides are lost is of no use.
    keep_sides(folder / SIDES, sides)
    write_table(options.output, rows)
    same = len(sides.left) - len(rows)
    left_out = f"; {same:,} more with identical answers count as ties" if same else ""
    console.print(f"{options.output}: {len(rows):,} pairs of answers{left_out}")
    console.print(f"Whose answer is on which side is kept in {folder / SIDES}: raters must not see it.")
    console.print("Each rater gets a copy, and fills in rating (left, right or tie) and, once, rater (a name).")
    console.print("Then hold the duel again, with --ratings FILE; what was judged before is not asked for again.")
    return 0


def run_read(options: argparse.Namespace, console: Console) -> int:
    """Check all files together and write one."""
    from evals.calibration.ratings import read_ratings
    from evals.calibration.tables import write_table

    settings = options_of(ReadOptions, options)
    known = {row.id for row in open_report(options.report)[0].samples}
    ratings = read_ratings(
        options.files, scale_of(options, settings.pass_from), known=known, allow_missing=options.allow_missing
    )
    write_table(
        options.output,
        [
            {"id": label.id, "part": label.part or "", "rater": label.rater, "rating": label.rating.label}
            for label in ratings.labels
        ],
    )
    for note in ratings.notes:
        console.print(f"note: {note}")
    raters = list(dict.fromkeys(label.rater for label in ratings.labels))
    samples = len({label.id for label in ratings.labels})
    console.print(
        f"{len(ratings.labels):,} ratings of {samples:,} samples by {', '.join(raters)} are in {options.output}"
    )
    return 0
