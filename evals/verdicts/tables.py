"""Verdicts as tables for a terminal. Their texts may be hostile: none reaches it as it is."""

from __future__ import annotations

from datetime import UTC, datetime

from rich import box
from rich.table import Table
from rich.text import Text

from evals.verdicts.rows import Record
from evals.verdicts.summary import Group, judge_name
from fixtures.contracts.files import printable

__all__ = ["table_of_groups", "table_of_pairs"]

SHOWN = 200
"""Characters of a text in a table."""


def table_of_groups(groups: list[Group]) -> Table:
    """One row for each group."""
    table = _table("judge, metric, mode", "verdicts", "pairs", "repeats", "mean", "tokens", "from, to")
    for entry in groups:
        table.add_row(
            _cell(f"{entry.name} #{entry.identity}, {entry.metric[:8]}, {entry.score_mode}"),
            *map(str, (entry.verdicts, entry.pairs, entry.repeats)),
            f"{entry.mean_score:.3f}",
            f"{entry.tokens_in} in\n{entry.tokens_out} out",
            "\n".join(dict.fromkeys((_date(entry.first), _date(entry.last)))),
        )
    return table


def table_of_pairs(records: list[Record]) -> Table:
    """One row for each verdict."""
    table = _table("judge", "expected", "actual", "repeat", "score", "created", "reason")
    for record in records:
        pair = record.asked.judgement
        table.add_row(
            _cell(judge_name(record)),
            _cell(pair.expected),
            _cell(pair.actual),
            str(record.asked.repeat),
            f"{record.answer.score:g}",
            _date(record.created),
            _cell(record.answer.reason),
        )
    return table


def _table(*names: str) -> Table:
    """A table whose texts wrap where the terminal is narrow, and whose numbers do not."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in names:
        wraps = name.startswith(("judge", "expected", "actual", "reason"))
        table.add_column(name, overflow="fold", no_wrap=not wraps, justify="left" if wraps else "right")
    return table


def _cell(text: str) -> Text:
    short = text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
    return Text(" ".join(printable(short).split()))


def _date(created: float) -> str:
    return datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%d")
