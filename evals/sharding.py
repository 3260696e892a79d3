"""One evaluation in several runs: whose are which of the drawn samples?

All of them draw the same samples, by the same seed, as a run of the whole would.
Each sample then belongs to the shard that a hash of its id names, so that
shards are disjoint and complete wherever they run, and need not agree on
anything but their number.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fixtures.contracts.errors import UserError
from fixtures.contracts.settings import read_config_file

if TYPE_CHECKING:
    from evals.settings import Settings
    from evals.tasks.base import Item

__all__ = ["Shard", "chosen_shard", "draw_digest", "parse_shard", "share_of"]


@dataclass(frozen=True)
class Shard:
    """One of ``count`` shards; ``index`` counts from 1."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def owns(self, sample_id: str) -> bool:
        """Whether the sample is this shard's. Not by Python's `hash`: it differs between processes."""
        number = int.from_bytes(hashlib.sha256(sample_id.encode()).digest(), "big")
        return number % self.count == self.index - 1


def parse_shard(text: str) -> Shard:
    """The shard that ``i/n`` names. Raises ValueError."""
    match = re.fullmatch(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})", text)
    if match is None or int(match[1]) > int(match[2]):
        raise ValueError("must be i/n with i from 1 to n, as 1/4")
    return Shard(int(match[1]), int(match[2]))


def chosen_shard(settings: Settings) -> Shard | None:
    """The shard that ``--shard`` or ``--shard-file`` names; None without either. Raises UserError."""
    if settings.shard is not None:
        return parse_shard(settings.shard)
    return _read_shard(settings.shard_file) if settings.shard_file is not None else None


def _read_shard(path: Path) -> Shard:
    text = read_config_file(path, {"shard": str}).get("shard")
    if text is None:
        raise UserError(f'{path}: the key "shard" is missing; {{"shard": "1/4"}} is the first of four')
    try:
        return parse_shard(str(text))
    except ValueError as error:
        raise UserError(f'{path}: "shard" is {text!r}: {error}') from error


def share_of(drawn: Sequence[Item], shard: Shard | None) -> list[Item]:
    """The samples of ``shard``, in order; all of them without one."""
    return [item for item in drawn if shard is None or shard.owns(item.id)]


def draw_digest(samples: Iterable[tuple[str, str]]) -> str:
    """Hex digest of a draw: (id, text digest) of all drawn samples, in order."""
    return hashlib.sha256("\n".join(map(" ".join, samples)).encode()).hexdigest()
