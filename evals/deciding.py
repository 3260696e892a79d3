"""How many samples would decide what these do not, in words."""

from __future__ import annotations

from math import ceil

from evals.statistics import samples_to_decide

__all__ = ["round_up", "way_out"]


def way_out(rate: float, minimum: float, *, confidence: float, of: str = "samples", worth: float = 1.0) -> str:
    """The number that tells a true ``rate`` from ``minimum`` at one-sided ``confidence`` with 80 % power.

    ``of`` says what is counted, ``worth`` how many independent ones each is worth.
    """
    needed = samples_to_decide(rate, minimum, confidence=confidence)
    if needed is None:
        return f"no number of {of} decides a rate that equals the requirement"
    return f"if the rate is truly {rate:.1%}, about {round_up(needed / worth):,} {of} would decide it with 80% power"


def round_up(number: float) -> int:
    """Two significant digits, upwards: such an estimate is no better than that."""
    whole = ceil(number)
    step: int = 10 ** max(0, len(str(whole)) - 2)
    return -(-whole // step) * step
