"""``python -m evals power``: how many samples a gate or a comparison with a baseline needs."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from evals.commands.options import CommandOptions, options_of
from fixtures.contracts.errors import UserError
from fixtures.contracts.settings import add_options

__all__ = ["add_parser"]

LADDER = (50, 100, 200, 500, 1000, 2000, 5000)
"""Numbers of samples to show where the user names none."""


def _numbers(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value


Samples = Annotated[tuple[Annotated[int, Field(ge=1, le=10**7)], ...], BeforeValidator(_numbers)]
Share = Annotated[float, Field(gt=0, lt=1)]


class _Question(CommandOptions):
    samples: Samples | None = Field(None, description="numbers of samples to look at, as 100,500; default: a ladder")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="of the verdict, as in --confidence of an evaluation")
    power: Share = Field(0.8, description="share of runs in which the verdict should come out right")


class GateQuestion(_Question):
    """What does a gate say of a model whose true rate is known?"""

    min_pass_rate: Share = Field(0.8, description="pass rate that the gate requires")
    rate: float | None = Field(None, ge=0, le=1, description="true pass rate of the model; always needed")


class BaselineQuestion(_Question):
    """What does a paired comparison say of two models whose difference is known?"""

    difference: float = Field(0.0, gt=-1, lt=1, description="true difference of the pass rates, new less baseline")
    discordance: float = Field(0.1, ge=0, le=1, description="share of samples on which the two differ")
    margin: float = Field(0.02, gt=0, lt=1, description="loss that still counts as no worse")


def add_parser(commands: Any) -> None:
    """Declare the commands."""
    power = commands.add_parser("power", help="how many samples a gate or a comparison needs", allow_abbrev=False)
    actions = power.add_subparsers(required=True, metavar="QUESTION")
    for name, model, run, words in (
        ("gate", GateQuestion, run_gate, "what a gate says of a model with a known true pass rate"),
        ("baseline", BaselineQuestion, run_baseline, "what a comparison with a baseline says of a known difference"),
    ):
        action = actions.add_parser(name, help=words, description=words, allow_abbrev=False)
        add_options(action.add_argument, model)
        action.set_defaults(run=run)


def run_gate(options: argparse.Namespace, console: Console) -> int:
    """Chances of each verdict, and the number of samples from which on it is mostly right."""
    from evals.statistics import gate_chances, gate_samples

    asked = options_of(GateQuestion, options)
    if asked.rate is None:
        raise UserError("--rate is needed: the true pass rate of the model that you think of")
    rate, required, confidence = asked.rate, asked.min_pass_rate, asked.confidence
    needed = gate_samples(rate, required, confidence=confidence, power=asked.power)
    rows = {n: gate_chances(rate, required, n, confidence=confidence) for n in _ladder(asked, needed)}
    required_rate = f"A gate requires {_percent(required)} at {_percent(confidence)} confidence"
    console.print(f"{required_rate}; the model's true pass rate is {_percent(rate)}.")
    console.print(_table(["passes", "inconclusive", "fails"], rows), soft_wrap=False)
    if needed is None:
        console.print("The true rate equals the requirement: no number of samples decides that.")
    else:
        verdict = "passes" if rate > required else "fails"
        console.print(f"From {needed:,} samples on it {verdict} in at least {_percent(asked.power)} of all runs.")
    return 0


def run_baseline(options: argparse.Namespace, console: Console) -> int:
    """Chances that the new model is shown to be no worse, and that the two are shown to differ."""
    from evals.statistics import noninferiority_power, noninferiority_samples, paired_power, paired_samples

    asked = options_of(BaselineQuestion, options)
    truth, confidence, power = (asked.difference, asked.discordance), asked.confidence, asked.power
    try:
        no_worse = noninferiority_samples(*truth, margin=asked.margin, confidence=confidence, power=power)
        different = paired_samples(*truth, confidence=confidence, power=power)
    except ValueError as error:
        raise UserError(f"power baseline: {error}") from error
    numbers = _ladder(asked, no_worse, different)
    rows = {n: [noninferiority_power(*truth, n, margin=asked.margin, confidence=confidence)] for n in numbers}
    names = ["shown to be no worse"]
    if asked.difference:
        names.append("shown to differ")
        rows = {n: [*row, paired_power(*truth, n, confidence=confidence)] for n, row in rows.items()}
    differ = f"the two differ on {_percent(asked.discordance)} of the samples"
    console.print(f"The new model's true pass rate is {_against(asked.difference)} the baseline's; {differ}.")
    console.print(_table(names, rows), soft_wrap=False)
    margin, often = _points(asked.margin), f"in {_percent(power)} of all runs"
    if no_worse is None:
        console.print(f"It is worse by the margin of {margin} or more: to show that it is no worse would be an error.")
    else:
        console.print(f"{no_worse:,} samples show that it is no worse, with a margin of {margin}, {often}.")
    if different is not None:
        console.print(f"{different:,} samples show that the two differ {often}.")
    return 0


def _ladder(asked: _Question, *needed: int | None) -> list[int]:
    """The numbers asked about, or a ladder with the numbers that are the answer."""
    if asked.samples is not None:
        return sorted(set(asked.samples))
    return sorted({*LADDER, *(number for number in needed if number is not None)})


def _table(names: Sequence[str], rows: Mapping[int, Sequence[float]]) -> Table:
    table = Table(box=SIMPLE)
    for name in ("samples", *names):
        table.add_column(name, justify="right")
    for number, chances in rows.items():
        table.add_row(f"{number:,}", *(f"{chance:.1%}" for chance in chances))
    return table


def _percent(share: float) -> str:
    return f"{share * 100:.6g}%"


def _against(difference: float) -> str:
    if difference == 0:
        return "equal to"
    return f"{_points(abs(difference))} {'below' if difference < 0 else 'above'}"


def _points(difference: float) -> str:
    return f"{difference * 100:.6g} points"
