"""The gate: pass, fail, inconclusive or incomplete, and the sentence that says why.

A point estimate against a threshold passes half the time when the model sits
at the threshold. So the gate asks for the lower end of the interval to pass,
for the upper end to fail, and says "inconclusive" in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from evals.settings import GatePolicy
from evals.statistics import samples_to_decide, wilson

__all__ = ["Condition", "Gate", "Outcome", "Tally", "evaluate_gate", "not_evaluated", "run_fails"]

Outcome = Literal["pass", "fail", "inconclusive", "incomplete", "not evaluated"]
_SEVERITY: tuple[Outcome, ...] = ("pass", "inconclusive", "fail")


class Tally(BaseModel):
    """Samples by state. A rate counts scored samples only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    passed: int
    failed: int
    unscored: int

    @property
    def scored(self) -> int:
        """Samples with a verdict."""
        return self.passed + self.failed

    @property
    def total(self) -> int:
        """All samples."""
        return self.scored + self.unscored


class Condition(BaseModel):
    """One requirement: what was measured, between which bounds, against what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    value: float | None
    low: float | None
    high: float | None
    required: float
    outcome: Outcome
    detail: str


class Gate(BaseModel):
    """The verdict on a run: its outcome, all conditions, and one sentence for people."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome: Outcome
    sentence: str
    conditions: list[Condition]
    policy: dict[str, str | int | float | None]


def evaluate_gate(tally: Tally, policy: GatePolicy) -> Gate:
    """Apply ``policy`` to a complete selection of samples."""
    unscored = _unscored(tally, policy)
    conditions = [unscored]
    if tally.scored:
        conditions.append(_rate(tally, policy) if policy.gate == "rate" else _every_sample(tally))
    if unscored.outcome != "pass":
        outcome: Outcome = "incomplete"
    else:
        outcome = _conjunction([condition.outcome for condition in conditions])
    return Gate(
        outcome=outcome,
        sentence=_sentence(outcome, tally, policy),
        conditions=conditions,
        policy=policy.model_dump(include=set(GatePolicy.model_fields)),
    )


def not_evaluated(reason: str, policy: GatePolicy) -> Gate:
    """The gate of a run that cannot speak for the whole draw."""
    return Gate(
        outcome="not evaluated",
        sentence=f"Gate not evaluated: {reason}.",
        conditions=[],
        policy=policy.model_dump(include=set(GatePolicy.model_fields)),
    )


def run_fails(gate: Gate, fail_on: Literal["fail", "inconclusive", "never"]) -> bool:
    """Whether a test run with this verdict exits with 1."""
    if gate.outcome == "incomplete":
        return True
    failing = {"fail": {"fail"}, "inconclusive": {"fail", "inconclusive"}, "never": set()}[fail_on]
    return gate.outcome in failing


def _conjunction(outcomes: Sequence[Outcome]) -> Outcome:
    return max(outcomes, key=_SEVERITY.index)


def _unscored(tally: Tally, policy: GatePolicy) -> Condition:
    if policy.max_unscored_share is not None:
        allowed = policy.max_unscored_share
        value = tally.unscored / tally.total if tally.total else 0.0
        name, shown = "unscored share", f"at most {allowed:.1%}"
    else:
        allowed, value, name, shown = (
            policy.max_unscored,
            tally.unscored,
            "unscored samples",
            f"at most {policy.max_unscored}",
        )
    met = value <= allowed and tally.scored > 0
    return Condition(
        name=name,
        value=value,
        low=None,
        high=None,
        required=allowed,
        outcome="pass" if met else "incomplete",
        detail=f"{tally.unscored} of {tally.total} samples without a verdict; {shown} allowed",
    )


def _rate(tally: Tally, policy: GatePolicy) -> Condition:
    # Two one-sided tests at `confidence` each: the ends of this two-sided interval.
    low, high = wilson(tally.passed, tally.scored, confidence=2 * policy.confidence - 1)
    minimum = policy.min_pass_rate
    outcome: Outcome = "pass" if low >= minimum else "fail" if high < minimum else "inconclusive"
    return Condition(
        name="pass rate",
        value=tally.passed / tally.scored,
        low=low,
        high=high,
        required=minimum,
        outcome=outcome,
        detail=f"one-sided Wilson bounds at {policy.confidence:.0%} confidence each",
    )


def _every_sample(tally: Tally) -> Condition:
    return Condition(
        name="every sample",
        value=tally.failed,
        low=None,
        high=None,
        required=0,
        outcome="fail" if tally.failed else "pass",
        detail=f"{tally.failed} of {tally.scored} samples failed",
    )


def _sentence(outcome: Outcome, tally: Tally, policy: GatePolicy) -> str:
    if outcome == "incomplete":
        return (
            f"Incomplete: the judge gave no verdict on {tally.unscored} of {tally.total} samples; "
            f"{tally.passed} of {tally.scored} others pass."
        )
    said = f"{outcome.capitalize()}: {tally.passed} of {tally.scored} samples pass"
    if policy.gate == "every-sample":
        return f"{said}; every sample must."
    interval = wilson(tally.passed, tally.scored, confidence=policy.confidence)
    one_sided = wilson(tally.passed, tally.scored, confidence=2 * policy.confidence - 1)
    said += (
        f", between {interval.low:.1%} and {interval.high:.1%} with {policy.confidence:.0%} confidence; "
        f"{policy.min_pass_rate:.0%} is required, and the one-sided bounds are {one_sided.low:.1%} "
        f"and {one_sided.high:.1%}"
    )
    if outcome == "inconclusive":
        said += _way_out(tally.passed / tally.scored, policy)
    return said + "."


def _way_out(rate: float, policy: GatePolicy) -> str:
    needed = samples_to_decide(rate, policy.min_pass_rate, confidence=policy.confidence)
    if needed is None:
        return "; no number of samples decides a rate that equals the requirement"
    return f"; if the rate is truly {rate:.1%}, about {_round_up(needed):,} samples would decide it with 80% power"


def _round_up(number: int) -> int:
    """Two significant digits, upwards: the estimate is no better than that."""
    step: int = 10 ** max(0, len(str(number)) - 2)
    return -(-number // step) * step
