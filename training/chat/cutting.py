"""What fits into the model: rows cut to a length, what that took away, and how long conversations are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fixtures.conversations.faults import Fault, counted
from training.causal.reporting import Lengths, lengths
from training.causal.tokens import IGNORED, Row

__all__ = ["Cut", "cut"]


@dataclass(frozen=True)
class Cut:
    """The rows that are left, and the story of the others."""

    rows: list[Row]
    lengths: Lengths
    faults: list[Fault]
    tokens_lost: int
    dropped: int

    @property
    def tokens(self) -> int:
        """Tokens of the rows that are left."""
        return sum(len(row.ids) for row in self.rows)

    @property
    def learned(self) -> int:
        """Tokens of them that the model is to learn to say."""
        return sum(row.learned for row in self.rows)


def cut(rows: Sequence[Row], max_length: int) -> Cut:
    """Keep the first ``max_length`` tokens of each row; leave out a row of which nothing to learn remains."""
    kept: list[Row] = []
    faults: list[Fault] = []
    lost = dropped = 0
    for row in rows:
        over = len(row.ids) - max_length
        if over <= 0:
            kept.append(row)
            continue
        short = Row(row.line, row.ids[:max_length], row.labels[:max_length])
        if all(label == IGNORED for label in short.labels):
            dropped += 1
            what = f"nothing to learn is left within {counted(max_length, 'token')}; left out"
        else:
            lost += over
            kept.append(short)
            what = f"longer than {counted(max_length, 'token')}; its end is cut off"
        faults.append(Fault(row.line, what, warning=True))
    return Cut(kept, lengths([len(row.ids) for row in rows]), faults, lost, dropped)
