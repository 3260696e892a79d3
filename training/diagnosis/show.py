"""A diagnosis as text for people and as JSON for machines."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fixtures.conversations.faults import counted
from training.diagnosis.curves import Best, Curves, Measure
from training.diagnosis.evidence import Evidence
from training.diagnosis.verdict import Verdict
from training.diagnosis.words import number, spread

__all__ = ["as_json", "show"]

_ROWS = 20
"""Rows of the table: what fits a screen."""


def show(name: str, curves: Curves, best: Best | None, verdict: Verdict, console: Console) -> None:
    """Print the points, the best checkpoint, the verdict with its evidence, and what to do next."""
    steps = curves.steps()
    span = f", steps {steps[0]} to {steps[-1]}" if steps else ""
    console.print(f"{name}: {curves.dialect}, {counted(len(steps), 'step')}{span}", markup=False)
    for note in curves.notes:
        console.print(f"note: {note}", markup=False)
    if curves.series:
        console.print(_table(curves, best))
    lines = [
        ("Best checkpoint", _best(best)),
        ("Verdict", f"{verdict.kind}: {verdict.reason}"),
        ("Next", verdict.next_step),
    ]
    grid = Table.grid(padding=(0, 2))
    for label, text in lines:
        grid.add_row(Text(label, style="bold"), Text(text))
    console.print(grid)
    if verdict.evidence:
        if best and best.heading != verdict.evidence.validation.heading:
            console.print(f"{best.heading} has too few points for trends; looked at:", markup=False)
        console.print(_evidence(verdict.evidence))


def as_json(name: str, curves: Curves, best: Best | None, verdict: Verdict) -> str:
    """Everything, points included."""
    points: dict[float, dict[str, float]] = {step: {"step": step} for step in curves.steps()}
    for measure, series in curves.series.items():
        for step, value in zip(series.steps, series.values, strict=True):
            points[step][measure.value] = value
    document: dict[str, Any] = {
        "schema_version": 1,
        "source": name,
        "dialect": curves.dialect,
        "columns": {measure.value: series.heading for measure, series in curves.series.items()},
        "notes": list(curves.notes),
        "best": dataclasses.asdict(best) if best else None,
        "verdict": verdict.kind.value,
        "reason": verdict.reason,
        "next": verdict.next_step,
        "evidence": dataclasses.asdict(verdict.evidence) if verdict.evidence else None,
        "points": list(points.values()),
    }
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)


def _best(best: Best | None) -> str:
    if best is None:
        return "none can be named without a validation loss"
    luck = "; of one batch each, so partly luck" if best.measure is Measure.VALIDATION_LOSS else ""
    return f"step {best.step}, by the lowest {best.heading}: {best.value:.4g}{luck}"


def _table(curves: Curves, best: Best | None) -> Table:
    table = Table(box=SIMPLE, collapse_padding=True)
    table.add_column("step", justify="right")
    for measure in curves.series:
        table.add_column(measure.replace("_", " ").replace("validation", "valid."), justify="right")
    table.add_column("")
    known = {measure: dict(zip(series.steps, series.values, strict=True)) for measure, series in curves.series.items()}
    for step in _shown(curves, best):
        figures = [f"{points[step]:.4f}" if step in points else "" for points in known.values()]
        table.add_row(str(step), *figures, "best" if best and step == best.step else "")
    return table


def _evidence(evidence: Evidence) -> Table:
    """What the verdict rests on, with intervals in brackets."""
    table = Table(box=SIMPLE)
    parts = (evidence.train, evidence.validation)
    for heading in ("", *(part.heading for part in parts)):
        table.add_column(Text(heading), overflow="fold")
    table.add_row("points", *(str(part.points) for part in parts))
    table.add_row("first fifth", *(number(part.start) for part in parts))
    table.add_row("last half", *(number(part.level) for part in parts))
    table.add_row("fall", *(spread(part.fall) for part in parts))
    table.add_row("change, last half", *(spread(part.late) for part in parts))
    table.add_row("change, last quarter", *(spread(part.end) for part in parts))
    table.add_row("above training", "", spread(evidence.gap))
    table.add_row("noise of a point", "", number(evidence.noise))
    return table


def _shown(curves: Curves, best: Best | None) -> list[float]:
    """The steps for the table: those of the measure that decides, evenly thinned, the best among them."""
    series = curves.series.get(best.measure if best else Measure.TRAIN_LOSS)
    steps = list(series.steps) if series else curves.steps()
    if len(steps) < 3:
        steps = curves.steps()
    last = len(steps) - 1
    chosen = {steps[round(row * last / (_ROWS - 1))] for row in range(_ROWS)} if last else set(steps)
    return sorted(chosen | ({best.step} if best else set()))
