"""The samples as data that the page's script reads.

Columns instead of rows, and every answer, reason and error once: judges give
one verdict to thousands of samples.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from evals.classic import OTHER
from evals.reports.html import tables
from evals.reports.model import Report
from evals.reports.rows import SampleRow
from fixtures.contracts.files import printable

__all__ = ["samples_json"]

STATES = ("unscored", "failed", "passed")
# A text under test that holds "</script>" or "<!--" would end the data and begin a script of its own.
# The line separators end a line for some parsers. JSON allows all of them only within strings.
_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
# A page should open in a moment: 7,532 English excerpts take 7 MB, but Japanese takes three bytes a character.
_BUDGET = 12 * 2**20
_LENGTHS = (1000, 700, 500, 300, 150, 0)


class _Strings:
    """A table of distinct strings; null is -1."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def place(self, text: str | None) -> int:
        return -1 if text is None else self._places.setdefault(printable(text), len(self._places))

    def __iter__(self) -> Any:
        return iter(self._places)


def samples_json(report: Report) -> Markup:
    """JSON for a ``<script type="application/json">``, which no text in it can close."""
    strings = _Strings()
    labels = [printable(label) for label in tables.labels(report)]
    names = [metric.name for metric in report.judge.metrics]
    answers = {label: number for number, label in enumerate(labels) if label != OTHER}
    other = labels.index(OTHER) if OTHER in labels else -1
    samples = report.samples
    predicted = [printable(sample.predicted) for sample in samples]
    data = {
        "labels": labels,
        "states": STATES,
        "id": [printable(sample.id) for sample in samples],
        "state": [STATES.index(sample.state) for sample in samples],
        "score": [_finite(sample.score) for sample in samples],
        "row": [answers.get(printable(sample.group), -1) for sample in samples],
        "column": [-1 if report.classic is None else answers.get(answer, other) for answer in predicted],
        "expected": [strings.place(sample.expected) for sample in samples],
        "predicted": [strings.place(answer) for answer in predicted],
        "confidence": [_finite(sample.prediction_score) for sample in samples],
        "reason": [strings.place(sample.reason or None) for sample in samples],
        "error": [strings.place(sample.error) for sample in samples],
        "raw": [strings.place(sample.raw) for sample in samples],
        "metrics": [[metric.name, metric.threshold] for metric in report.judge.metrics],
        **(_scores(samples, names, strings) if names else {}),
        "strings": list(strings),
    }
    return Markup(f"{_escaped(data)[:-1]},{_excerpts([printable(sample.text) for sample in samples])}}}")


def _scores(samples: Sequence[SampleRow], names: Sequence[str], strings: _Strings) -> dict[str, list[Any]]:
    """Score and reason of each metric, in the order of ``names``."""
    rows = [sorted(sample.metrics, key=lambda metric: names.index(metric.name)) for sample in samples]
    return {
        "scores": [[_finite(metric.score) for metric in row] for row in rows],
        "reasons": [[strings.place(metric.error or metric.reason) for metric in row] for row in rows],
    }


def _excerpts(texts: list[str]) -> str:
    """The texts, cut to what the page can bear, and the length they are cut to."""
    for length in _LENGTHS:
        written = _escaped({"excerpt": length, "text": [text[:length] for text in texts]})
        if len(written.encode("utf-8")) <= _BUDGET:
            break
    return written[1:-1]


def _escaped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).translate(_ESCAPES)


def _finite(value: float | None) -> float | None:
    return round(value, 6) if value is not None and math.isfinite(value) else None
