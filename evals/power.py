"""How many samples a gate needs: said before a run that could not decide anything."""

from __future__ import annotations

from evals.settings import GatePolicy
from evals.statistics import gate_chances, gate_samples

__all__ = ["EFFECT", "POWER", "power_warning"]

EFFECT = 0.05
"""A model whose true pass rate is so much above the required one should pass ..."""

POWER = 0.8
"""... in so many of all runs."""


def power_warning(samples: int, policy: GatePolicy) -> str | None:
    """One line, if the gate would too seldom pass a model that is clearly good enough; else None.

    Clearly: 5 points above the required rate, or halfway from there to 100 %
    where that is less. The number needed is exact for the raw pass rate; a
    corrected one needs more. A gate that asks for no rate needs no warning.
    """
    required = policy.min_pass_rate
    if policy.gate != "rate" or required == 0:
        return None
    if required == 1:
        return "no number of samples shows a pass rate of 100%: this gate never passes; use --gate every-sample"
    rate = min(required + EFFECT, (1 + required) / 2)
    chance = gate_chances(rate, required, samples, confidence=policy.confidence).passes
    needed = gate_samples(rate, required, confidence=policy.confidence, power=POWER)
    if chance >= POWER or needed is None:
        return None
    model = f"a model whose true pass rate is {_percent(rate)}"
    return (
        f"{samples:,} samples are too few for this gate: {model} shows the required {_percent(required)} in "
        f"{chance:.0%} of all runs; {needed:,} samples would make that {_percent(POWER)}"
    )


def _percent(share: float) -> str:
    return f"{share * 100:.6g}%"
