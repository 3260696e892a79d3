"""Learning curves: what training measured on the way to the model, as its manifest tells it.

``metrics.training.curves`` of a manifest holds one mapping for each step at
which something was measured (`training.curves`). A manifest may be anybody's:
what is no such mapping is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeGuard

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from evals.reports.html.drawing import COLOURS, canvas, to_svg
from evals.reports.html.percent_axis import limits, rising_percent_axis
from evals.reports.model import Report

__all__ = ["COLUMNS", "draw_loss", "draw_quality", "learning_points"]

COLUMNS = {
    "train_loss": "Training loss",
    "validation_loss": "Validation loss",
    "validation_accuracy": "Accuracy",
    "validation_macro_f1": "Macro F1",
}
_SHARES = ("validation_accuracy", "validation_macro_f1")
_LARGEST = 1e9
_MANY = 30
"""Points from which a line without dots is easier to read."""


def learning_points(report: Report) -> list[dict[str, float]]:
    """Each a ``step`` with the figures of `COLUMNS` that were measured there; empty if training told none."""
    rows = _training(report).get("curves")
    points = [point for row in (rows if isinstance(rows, list) else []) if (point := _point(row)) is not None]
    return sorted(points, key=lambda point: point["step"])


def draw_loss(report: Report, name: str, width: int) -> Markup:
    """Loss on the training and the validation documents; empty if neither was told."""
    return _chart(report, name, width, ("train_loss", "validation_loss"), _loss_axis)


def draw_quality(report: Report, name: str, width: int) -> Markup:
    """Accuracy and macro F1 on the validation documents; empty if neither was told."""
    return _chart(report, name, width, _SHARES, _share_axis)


def _training(report: Report) -> dict[str, Any]:
    training = report.model.training.get("training")
    return training if isinstance(training, dict) else {}


def _point(row: Any) -> dict[str, float] | None:
    if not isinstance(row, dict) or not _number(row.get("step")) or row["step"] < 0:
        return None
    figures = {name: row[name] for name in COLUMNS if _number(row.get(name))}
    figures = {name: value for name, value in figures.items() if name not in _SHARES or 0 <= value <= 1}
    return {"step": row["step"]} | figures if figures else None


def _number(value: Any) -> TypeGuard[float]:
    # No NaN, and nothing that would flatten all other points.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST


def _chart(
    report: Report, name: str, width: int, columns: tuple[str, str], axis: Callable[[Axes, list[float]], None]
) -> Markup:
    points = learning_points(report)
    values = [point[column] for point in points for column in columns if column in point]
    if not values:
        return Markup()
    figure, axes = canvas(width, 230, left=46, right=16, top=26, bottom=30)
    axis(axes, values)
    # Both charts span the same steps.
    last = points[-1]["step"]
    axes.set_xlim(0, max(last, 1))
    axes.xaxis.set_major_locator(MaxNLocator(6 if width > 400 else 4, integer=True))
    axes.xaxis.set_major_formatter(lambda step, _: f"{step:,.0f}")
    kept = _training(report).get("best_step")
    if _number(kept) and 0 <= kept <= last:
        _mark(axes, kept)
    told = []
    for column, hollow in zip(columns, (True, False), strict=True):
        line = [(point["step"], point[column]) for point in points if column in point]
        if line:
            _line(axes, line, hollow=hollow)
            told.append(f"{COLUMNS[column].lower()} from {line[0][1]:.3f} to {line[-1][1]:.3f}")
    label = f"Learning curves up to step {last:,.0f}: {', '.join(told)}; all points stand in the table"
    return to_svg(figure, name=name, label=label)


def _mark(axes: Axes, step: float) -> None:
    """The step whose weights became the model."""
    axes.axvline(step, color=COLOURS["ink"], linewidth=1.3, dashes=(4, 3), clip_on=False)
    right = step > sum(axes.get_xlim()) / 2
    axes.annotate(
        f"kept: step {step:,.0f}", (step, axes.get_ylim()[1]), (-6 if right else 6, 9), textcoords="offset points",
        ha="right" if right else "left", va="center", color=COLOURS["muted"], annotation_clip=False,
    )  # fmt: skip


def _line(axes: Axes, line: Sequence[tuple[float, float]], *, hollow: bool) -> None:
    colour = COLOURS["muted" if hollow else "accent"]
    steps, values = zip(*line, strict=True)
    axes.plot(steps, values, color=colour, linewidth=1.3 if hollow else 2, clip_on=False)
    if len(line) <= _MANY:
        # A hollow dot is seen around a full one, where both lines are one.
        inside, size = (COLOURS["wash"], 8) if hollow else (colour, 5)
        axes.plot(steps, values, "o", mfc=inside, mec=colour, markersize=size, clip_on=False)


def _loss_axis(axes: Axes, values: list[float]) -> None:
    low, high = min(0.0, *values), max(values)
    axes.set_ylim(low, high + 0.05 * (high - low) if high > low else low + 1)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.grid(axis="y", color=COLOURS["line"], linewidth=0.8)


def _share_axis(axes: Axes, values: list[float]) -> None:
    rising_percent_axis(axes, *limits(min(values), max(values), room=0.04))
