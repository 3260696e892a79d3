"""The samples as CSV: one row each, for spreadsheets and data frames.

RFC 4180: commas, quoted fields, CR LF; UTF-8, and no byte order mark, which
most programs would take for a part of the first name (``evals report --bom``
writes one for Excel). An empty field is nothing at all or an empty text.

A spreadsheet runs a cell that begins with ``=``, ``+``, ``-`` or ``@`` as a
formula, and everybody may write a news text that does. As OWASP advises
("CSV Injection"), such texts get a ``'`` in front. So do texts that begin with
``'`` themselves: taking one leading ``'`` away gives every text back.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

from evals.reports.model import Report
from evals.reports.rows import SampleRow
from evals.text_measures import TextScores
from fixtures.contracts.files import printable

__all__ = ["COLUMNS", "samples_csv"]

COLUMNS = tuple(name for name in SampleRow.model_fields if name not in ("category", "metrics", "measures"))
"""What every report says of a sample; a chat model's answers have more."""
_MEASURES = tuple(name for name in TextScores.model_fields if name != "bleu")
# Blanks before the sign do not stop every program; the wide signs are those of Japanese keyboards.
_FORMULA = re.compile(r"[\s\ufeff]*[=+\-@'\t\r\n\uff1d\uff0b\uff0d\uff20]")


def samples_csv(report: Report) -> str:
    """All samples with all that the report says of each, under a header."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL)
    chat = report.task == "chat"
    names = [metric.name for metric in report.judge.metrics]
    more = ["category", *(f"{part} of {name}" for name in names for part in ("score", "reason")), *_MEASURES]
    writer.writerow([*COLUMNS, *(more if chat else ())])
    for sample in report.samples:
        cells = [getattr(sample, name) for name in COLUMNS]
        writer.writerow(map(_safe, [*cells, *_of_an_answer(sample, names)] if chat else cells))
    return buffer.getvalue()


def _of_an_answer(sample: SampleRow, names: Sequence[str]) -> Iterator[Any]:
    """Category, metrics and measures."""
    yield sample.category
    scores = {metric.name: metric for metric in sample.metrics}
    for name in names:
        yield scores[name].score
        yield scores[name].reason if scores[name].error is None else scores[name].error
    for measure in _MEASURES:
        yield None if sample.measures is None else round(getattr(sample.measures, measure), 6)


def _safe(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if _FORMULA.match(text) else text
