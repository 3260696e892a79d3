"""The gate: pass, fail, inconclusive or incomplete, and the sentence that says why.

A point estimate against a threshold passes half the time when the model sits
at the threshold. So the gate asks for the lower end of the interval to pass,
for the upper end to fail, and says "inconclusive" in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from evals.conditions import Condition, Evidence, Outcome, Tally, conditions
from evals.deciding import way_out
from evals.settings import GatePolicy
from evals.statistics import wilson

__all__ = [
    "Condition",
    "Evidence",
    "Gate",
    "Outcome",
    "Tally",
    "evaluate_gate",
    "not_evaluated",
    "run_fails",
    "without_verdict",
]

_SEVERITY: tuple[Outcome, ...] = ("pass", "inconclusive", "fail")
_NAMED = 5


class Gate(BaseModel):
    """The verdict on a run: its outcome, all conditions, and one sentence for people."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome: Outcome
    sentence: str
    conditions: list[Condition]
    policy: dict[str, Any]


def evaluate_gate(evidence: Evidence, policy: GatePolicy) -> Gate:
    """Apply ``policy`` to a complete selection of samples."""
    tally = evidence.tally
    found = [_unscored(tally, policy)]
    if tally.scored:
        found += conditions(evidence, policy)
    outcome: Outcome = "incomplete"
    if found[0].outcome == "pass":
        outcome = max((condition.outcome for condition in found), key=_SEVERITY.index)
    return Gate(
        outcome=outcome,
        sentence=_sentence(outcome, evidence, found, policy),
        conditions=found,
        policy=policy.model_dump(mode="json", include=set(GatePolicy.model_fields)),
    )


def not_evaluated(reason: str, policy: GatePolicy) -> Gate:
    """The gate of a run that cannot speak for the whole draw."""
    return Gate(
        outcome="not evaluated",
        sentence=f"Gate not evaluated: {reason}.",
        conditions=[],
        policy=policy.model_dump(mode="json", include=set(GatePolicy.model_fields)),
    )


def run_fails(gate: Gate, fail_on: Literal["fail", "inconclusive", "never"]) -> bool:
    """Whether a test run with this verdict exits with 1."""
    if gate.outcome == "incomplete":
        return True
    failing = {"fail": {"fail"}, "inconclusive": {"fail", "inconclusive"}, "never": set()}[fail_on]
    return gate.outcome in failing


def _unscored(tally: Tally, policy: GatePolicy) -> Condition:
    if policy.max_unscored_share is not None:
        name, allowed = "unscored share", policy.max_unscored_share
        value = tally.unscored / tally.total if tally.total else 0.0
    else:
        name, allowed, value = "unscored samples", policy.max_unscored, tally.unscored
    met = value <= allowed and tally.scored > 0
    return Condition(
        name=name,
        value=value,
        low=None,
        high=None,
        required=allowed,
        bound="at most",
        unit="count" if policy.max_unscored_share is None else "share",
        outcome="pass" if met else "incomplete",
        detail=f"{tally.unscored} of {tally.total} samples without a verdict",
    )


def without_verdict(tally: Tally, unanswered: int) -> str:
    """Why samples are unscored; ``unanswered`` of them because of the model, the others because of the judge."""
    of = f"of {tally.total} samples"
    if not unanswered:
        return f"the judge gave no verdict on {tally.unscored} {of}"
    if unanswered == tally.unscored:
        return f"the model gave no answer to {unanswered} {of}"
    return f"the model gave no answer to {unanswered}, and the judge no verdict on {tally.unscored - unanswered} {of}"


def _sentence(outcome: Outcome, evidence: Evidence, found: Sequence[Condition], policy: GatePolicy) -> str:
    tally = evidence.tally
    if outcome == "incomplete":
        why = without_verdict(tally, evidence.unanswered)
        return f"Incomplete: {why}; {tally.passed} of {tally.scored} others pass."
    _, first, *others = found
    said = f"{outcome.capitalize()}: {_of_the_rate(first, tally, policy)}"
    for kind, words in (("fail", "not met"), ("inconclusive", "not decided")):
        names = [condition.name for condition in others if condition.outcome == kind]
        if names:
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            said += f"; {words}: {', '.join(names[:_NAMED])}{more}"
    return said + "."


def _of_the_rate(condition: Condition, tally: Tally, policy: GatePolicy) -> str:
    said = f"{tally.passed} of {tally.scored} samples pass"
    if policy.gate == "every-sample":
        return f"{said}; every sample must"
    required = f"; {policy.min_pass_rate:.0%} is required"
    if policy.rate == "corrected":
        if condition.value is None:
            return f"{said}, but {condition.detail}"
        said = f"corrected for the judge's errors, {condition.value:.1%} of the samples pass ({said} as judged)"
        return f"{said}{required}, and the one-sided bounds are {condition.low:.1%} and {condition.high:.1%}"
    interval = wilson(tally.passed, tally.scored, confidence=policy.confidence)
    said += f", between {interval.low:.1%} and {interval.high:.1%} with {policy.confidence:.0%} confidence{required}"
    if condition.outcome == "inconclusive":
        return f"{said}; {way_out(tally.passed / tally.scored, policy.min_pass_rate, confidence=policy.confidence)}"
    if interval.low < policy.min_pass_rate < interval.high:
        # The two-sided interval alone would seem to contradict the verdict.
        side, bound = ("lower", condition.low) if condition.outcome == "pass" else ("upper", condition.high)
        said += f", and the one-sided {side} bound is {bound:.1%}"
    return said
