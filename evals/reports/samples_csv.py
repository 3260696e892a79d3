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
from typing import Any

from evals.reports.model import Report, SampleRow
from fixtures.contracts.files import printable

__all__ = ["COLUMNS", "samples_csv"]

COLUMNS = tuple(SampleRow.model_fields)
# Blanks before the sign do not stop every program; the wide signs are those of Japanese keyboards.
_FORMULA = re.compile(r"[\s\ufeff]*[=+\-@'\t\r\n\uff1d\uff0b\uff0d\uff20]")


def samples_csv(report: Report) -> str:
    """All samples with all that the report says of each, under a header."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    writer.writerows([_safe(getattr(sample, name)) for name in COLUMNS] for sample in report.samples)
    return buffer.getvalue()


def _safe(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if _FORMULA.match(text) else text
