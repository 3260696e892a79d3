"""A calibration as one picture: the pass rate four ways, and the judge's confusion."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evals.calibration.model import Calibration, EstimateRow
from evals.calibration.text import judge_in_words, percents
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import write_atomic

__all__ = ["draw"]

# Blue and orange: told apart by everybody, and in grey.
_RIGHT, _WRONG, _PLAIN, _INK = "#2b6cb0", "#dd7a1d", "#8a94a0", "#1f2933"


def draw(calibration: Calibration, path: Path) -> None:
    """Write the picture to a ``.svg`` or ``.png`` file; equal calibrations give equal bytes.

    Raises UserError for another ending, and where matplotlib is not installed.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in ("svg", "png"):
        raise UserError(f"{path}: the name of a picture must end in .svg or .png")
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UserError("--picture needs matplotlib: pip install 'newsjudge[train]'") from error
    style: dict[Any, Any] = {
        "font.size": 10,
        "text.parse_math": False,
        "svg.hashsalt": "calibration",
        "svg.fonttype": "none",
    }
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(10, 4), layout="constrained", facecolor="white")
        rates, confusion = figure.subplots(1, 2, width_ratios=(3, 2))
        _draw_rates(rates, calibration)
        _draw_confusion(confusion, calibration)
        figure.suptitle(f"Judge {judge_in_words(calibration)}", x=0.01, ha="left", weight="bold", color=_INK)
        buffer = io.BytesIO()
        metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
        with warnings.catch_warnings():
            # A name in a script that the font lacks: viewers of SVG have another font.
            warnings.filterwarnings("ignore", message="Glyph")
            figure.savefig(buffer, format=kind, metadata=metadata, dpi=120)
    write_atomic(path, buffer.getvalue())


def _draw_rates(axes: Any, calibration: Calibration) -> None:
    rates = calibration.pass_rate
    low, high = _span(rates.estimates)
    for place, row in enumerate(rates.estimates):
        colour = _RIGHT if row.method == rates.recommended else _PLAIN
        if row.rate is None or row.low is None or row.high is None:
            axes.text((low + high) / 2, place, row.meaning, color=_PLAIN, ha="center", va="center", style="italic")
            continue
        axes.plot([row.low, row.high], [place, place], color=colour, linewidth=3, solid_capstyle="butt")
        axes.plot([row.rate], [place], "o", color=colour, markersize=8)
        label = f"{row.rate:.1%}  ({percents(row.low, row.high)})"
        # To the side on which there is room, so that it never leaves the picture.
        place_of_rate = (row.rate - low) / (high - low)
        side = "left" if place_of_rate < 0.3 else "right" if place_of_rate > 0.7 else "center"
        axes.annotate(label, (row.rate, place), (0, 9), textcoords="offset points", ha=side, color=colour)
    names = [
        f"{row.method}\n(recommended)" if row.method == rates.recommended else row.method for row in rates.estimates
    ]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.7)
    margin = (high - low) / 50
    axes.set_xlim(low - margin, high + margin)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value * 100:g}%")
    axes.set_title(f"Pass rate of {rates.about}, {calibration.confidence:.0%} intervals", loc="left", fontsize=10)
    axes.grid(axis="x", color="#dfe3e8")
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _span(rows: Sequence[EstimateRow]) -> tuple[float, float]:
    """The axis: from ten to ten per cent around all intervals."""
    ends = [end for row in rows for end in (row.low, row.high) if end is not None]
    return math.floor(min(ends) * 10 - 0.2) / 10 if min(ends) > 0.02 else 0.0, min(
        1.0, math.ceil(max(ends) * 10 + 0.2) / 10
    )


def _draw_confusion(axes: Any, calibration: Calibration) -> None:
    counts = calibration.confusion
    passing, failing = counts.true_pass + counts.false_fail, counts.false_pass + counts.true_fail
    cells = (
        (0, 0, counts.true_pass, passing, "rightly passed", _RIGHT),
        (1, 0, counts.false_pass, failing, "wrongly passed", _WRONG),
        (0, 1, counts.false_fail, passing, "wrongly failed", _WRONG),
        (1, 1, counts.true_fail, failing, "rightly failed", _RIGHT),
    )
    for column, row, count, total, words, colour in cells:
        share = count / total if total else 0.0
        axes.fill(
            [column, column + 1, column + 1, column],
            [row, row, row + 1, row + 1],
            color=colour,
            alpha=0.12 + 0.5 * share,
        )
        shown = f"{share:.0%}" if total else "-"
        middle = (column + 0.5, row + 0.5)
        axes.text(*middle, f"{count:,}", ha="center", va="bottom", fontsize=16, color=_INK)
        axes.text(
            *middle, f"\n{words}\n{shown} of {total:,}", ha="center", va="top", fontsize=9, color=_INK, linespacing=1.3
        )
    axes.set_xlim(0, 2)
    axes.set_ylim(2, 0)
    axes.set_xticks([0.5, 1.5], ["should pass", "should fail"])
    axes.set_yticks([0.5, 1.5], ["judge passes", "judge fails"])
    axes.set_title(f"The judge against the truth, {calibration.truth.measured:,} samples", loc="left", fontsize=10)
    axes.tick_params(length=0, top=False)
    axes.spines[:].set_visible(False)
