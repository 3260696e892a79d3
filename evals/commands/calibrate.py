"""``python -m evals calibrate``: hold a judge against the truth."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field
from rich.console import Console
from rich.text import Text

from evals.commands.options import CommandOptions, open_report, options_of
from fixtures.contracts.errors import UserError
from fixtures.contracts.settings import add_options

if TYPE_CHECKING:
    from evals.calibration.judgements import JudgeData
    from evals.calibration.scale import Scale
    from evals.calibration.truth import Truth

__all__ = ["add_label_options", "add_parser", "run", "scale_of"]

FIELDS = {
    "id": "names the sample",
    "verdict": "is the judge's pass or fail",
    "score": "is the judge's score",
    "truth": "says what is true of the sample; a list holds several ratings",
    "repeat": "numbers the judge's repeats",
    "reason": "is the judge's reason; a.b is b within a",
    "group": "groups samples, for rank correlations",
}
"""What a field of a foreign file may be for."""


class CalibrateOptions(CommandOptions):
    """Numbers of a calibration."""

    confidence: float = Field(0.95, gt=0, lt=1, description="of all intervals, two-sided")
    threshold: float | None = Field(
        None, allow_inf_nan=False, description="score from which a judge in --judgements passes"
    )
    pass_from: float | None = Field(
        None, ge=0, le=10, description="ratings are scores from 0 to 10; their mean passes from this on"
    )
    worst: int = Field(10, ge=0, le=1000, description="disagreements to show")


def add_parser(commands: Any) -> None:
    """Declare the command."""
    calibrate = commands.add_parser(
        "calibrate",
        help="hold a judge against the data set's labels, or against people's ratings",
        description="Hold a judge against the truth: against the data set's own labels, or people's --ratings. "
        "With --judgements, hold a judge of another system against it.",
        allow_abbrev=False,
    )
    calibrate.add_argument("report", nargs="?", type=Path, metavar="REPORT", help="report.json, or its folder")
    calibrate.add_argument(
        "--ratings", action="append", type=Path, default=[], metavar="FILE", help="ratings (.csv, .jsonl); repeatable"
    )
    calibrate.add_argument("--raters", metavar="A,B", help="columns of --ratings that are raters'; default: all others")
    calibrate.add_argument(
        "--labels",
        choices=["random", "other"],
        help="how the labelled samples were chosen, if the ratings do not say (part): a random part, or otherwise",
    )
    calibrate.add_argument("--allow-missing", action="store_true", help="leave out ratings that are missing")
    add_label_options(calibrate)
    calibrate.add_argument("--judgements", type=Path, metavar="FILE", help="verdicts of another system, one a line")
    for role, words in FIELDS.items():
        calibrate.add_argument(f"--{role}-field", metavar="NAME", help=f"of --judgements: {words} (default: {role})")
    add_options(calibrate.add_argument, CalibrateOptions)
    calibrate.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    calibrate.add_argument("--save", type=Path, metavar="FILE", help="the same, if it can correct later runs")
    calibrate.add_argument("--picture", type=Path, metavar="FILE", help="draw it (.svg or .png)")
    calibrate.set_defaults(run=run)


def add_label_options(parser: argparse.ArgumentParser) -> None:
    """Options that say what a rating looks like, apart from ``--pass-from``."""
    parser.add_argument("--pass-labels", metavar="A,B", help="labels that pass, where ratings are other words")
    parser.add_argument("--fail-labels", metavar="A,B", help="labels that fail")


def scale_of(options: argparse.Namespace, pass_from: float | None) -> Scale:
    """How the ratings are read."""
    from evals.calibration.scale import Scale

    return Scale(pass_from, _names(options.pass_labels), _names(options.fail_labels))


def run(options: argparse.Namespace, console: Console) -> int:
    """Measure, write, draw, and tell."""
    from evals.calibration.apply import why_unusable
    from evals.calibration.measure import calibrate
    from evals.calibration.text import describe
    from fixtures.contracts.files import write_atomic

    settings = options_of(CalibrateOptions, options)
    if (options.report is None) == (options.judgements is None):
        raise UserError("name a report, or another system's verdicts by --judgements FILE")
    data, truth = (_ours if options.judgements is None else _theirs)(options, settings)
    found = calibrate(data, truth, drawn=options.labels, confidence=settings.confidence, worst=settings.worst)
    console.print(Text(describe(found)))
    if options.json is not None:
        write_atomic(options.json, found.to_json())
    if options.picture is not None:
        from evals.calibration.picture import draw

        draw(found, options.picture)
    if options.save is not None:
        if (reason := why_unusable(found)) is not None:
            raise UserError(f"nothing is saved to {options.save}: {reason}")
        write_atomic(options.save, found.to_json())
    return 0


def _ours(options: argparse.Namespace, settings: CalibrateOptions) -> tuple[JudgeData, Truth]:
    """The verdicts of a report, with its data set's labels or with ratings."""
    from evals.calibration.judgements import judged_report
    from evals.calibration.truth import of_report
    from fixtures.contracts.files import sha256_file

    named = [f"--{role}-field" for role in FIELDS if getattr(options, f"{role}_field") is not None]
    if named or settings.threshold is not None:
        raise UserError(f"{', '.join(named) or '--threshold'} is for --judgements; a report has its own")
    report, path = open_report(options.report)
    data = judged_report(report, name=str(path), digest=sha256_file(path), confidence=settings.confidence)
    return data, _rated(options, settings) if options.ratings else of_report(report)


def _theirs(options: argparse.Namespace, settings: CalibrateOptions) -> tuple[JudgeData, Truth]:
    """The verdicts of a foreign file, with the truth that stands beside them or with ratings."""
    from evals.calibration.foreign import read_judgements
    from evals.calibration.truth import of_labels

    path = options.judgements
    named = {role: getattr(options, f"{role}_field") for role in FIELDS}
    data, labels = read_judgements(
        path,
        named,
        scale_of(options, settings.pass_from),
        threshold=settings.threshold,
        confidence=settings.confidence,
    )
    if bool(labels) == bool(options.ratings):
        there = (
            "is in the file and in --ratings; keep one of them" if labels else "is needed: --truth-field or --ratings"
        )
        raise UserError(f"{path}: the truth {there}")
    if options.ratings:
        return data, _rated(options, settings)
    name = f"{named['truth'] or 'truth'} in {path.name}"
    return data, of_labels(labels, name=name, pass_from=settings.pass_from, confidence=settings.confidence)


def _rated(options: argparse.Namespace, settings: CalibrateOptions) -> Truth:
    from dataclasses import replace

    from evals.calibration.ratings import read_ratings
    from evals.calibration.truth import of_labels

    scale = scale_of(options, settings.pass_from)
    ratings = read_ratings(options.ratings, scale, raters=_names(options.raters), allow_missing=options.allow_missing)
    name = ", ".join(path.name for path in options.ratings)
    truth = of_labels(ratings.labels, name=name, pass_from=settings.pass_from, confidence=settings.confidence)
    return replace(truth, notes=[*ratings.notes, *truth.notes])


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())
