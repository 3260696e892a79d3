"""The curves as a picture: losses, token accuracy, and where the best checkpoint is."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from fixtures.contracts.errors import UserError
from fixtures.contracts.files import write_atomic
from training.diagnosis.curves import Best, Curves, Measure, Series

__all__ = ["FORMATS", "draw"]

FORMATS = (".png", ".svg")

_MANY = 30
"""Points from which on a line is also drawn smoothed."""

_PANELS = (
    (
        "loss",
        (
            (Measure.TRAIN_LOSS, "training", "tab:blue"),
            (Measure.VALIDATION_LOSS, "validation, a batch", "tab:orange"),
            (Measure.FULL_VALIDATION_LOSS, "validation", "tab:red"),
        ),
    ),
    (
        "accuracy",
        (
            (Measure.TRAIN_ACCURACY, "training", "tab:blue"),
            (Measure.VALIDATION_ACCURACY, "validation, a batch", "tab:orange"),
            (Measure.FULL_VALIDATION_ACCURACY, "validation", "tab:red"),
        ),
    ),
)


def draw(curves: Curves, best: Best | None, title: str, file: Path) -> None:
    """Write a picture to ``file``, PNG or SVG by its ending; the same curves give the same bytes."""
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UserError(f"--out {file}: to draw, pip install matplotlib") from error
    panels = [panel for panel in _PANELS if any(measure in curves.series for measure, _, _ in panel[1])]
    buffer = io.BytesIO()
    with rc_context({"svg.hashsalt": "curves", "svg.fonttype": "none"}):
        # Figure, not pyplot: no window system is looked for, nothing global is left behind.
        figure = Figure(figsize=(5 * len(panels), 4), layout="constrained")
        figure.suptitle(title)
        for axes, (name, lines) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            _panel(axes, name, lines, curves, best)
        svg = file.suffix.lower() == ".svg"
        figure.savefig(buffer, format=file.suffix[1:].lower(), dpi=120, metadata={"Date": None} if svg else None)
    write_atomic(file, buffer.getvalue())


def _smooth(series: Series) -> tuple[Any, Any]:
    """Running means over a tenth of the points: an eye finds a trend in those, in the points it finds noise."""
    window = np.ones(len(series) // 10) / (len(series) // 10)
    return np.convolve(series.steps, window, "valid"), np.convolve(series.values, window, "valid")


def _panel(axes: Any, name: str, lines: Any, curves: Curves, best: Best | None) -> None:
    for measure, label, colour in lines:
        if series := curves.series.get(measure):
            if len(series) < _MANY:
                axes.plot(series.steps, series.values, color=colour, marker="o", markersize=4, label=label)
            else:
                axes.plot(series.steps, series.values, color=colour, alpha=0.3, linewidth=0.8)
                axes.plot(*_smooth(series), color=colour, label=label)
    if best:
        axes.axvline(best.step, color="tab:green", linestyle="--", linewidth=1, label=f"best: step {best.step}")
    axes.set(title=name, xlabel="step")
    axes.grid(alpha=0.3)
    axes.legend()
