"""Votes that are due, and in which order they are asked for."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from evals.judges.base import Judge, Judgement

__all__ = ["Seat", "in_random_order"]


@dataclass(frozen=True, slots=True)
class Seat:
    """A vote that is due: of which judge, on which pair, for the how-manieth time."""

    judge: Judge
    judgement: Judgement
    repeat: int


def in_random_order(seats: Sequence[Seat]) -> list[Seat]:
    """``seats`` pair by pair, the pairs shuffled; the same seats always in the same order.

    In the order of the samples, common pairs come first, and those are mostly
    right ones: the pass rate so far would be far too high for long. And two runs
    on one store, shards say, would ask the same questions at the same time.
    """
    pairs = list(dict.fromkeys(seat.judgement for seat in seats))
    random.Random(repr(pairs)).shuffle(pairs)
    rank = {pair: place for place, pair in enumerate(pairs)}
    return sorted(seats, key=lambda seat: rank[seat.judgement])
