"""What a gate can ask for, one requirement a function.

Each compares the ends of an interval with a threshold. A requirement is met
when the whole interval is on its good side, broken when the whole interval is
on the other, and else the samples do not decide it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from evals.deciding import way_out
from evals.noninferiority import no_worse
from evals.settings import GatePolicy
from evals.statistics import Interval, holm, judge_error, macro_f1, score_test, wilson

if TYPE_CHECKING:
    from evals.calibration import CorrectedRate

__all__ = ["Condition", "Evidence", "Judged", "Outcome", "Paired", "Tally", "conditions"]

Outcome = Literal["pass", "fail", "inconclusive", "incomplete", "not evaluated"]


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
    low: float | None = Field(description="one-sided lower bound at the gate's confidence")
    high: float | None = Field(description="one-sided upper bound at the gate's confidence")
    required: float
    bound: Literal["at least", "at most"] = "at least"
    unit: Literal["share", "count", "difference"] = Field(default="share", description="difference: of two shares")
    outcome: Outcome
    detail: str


class Judged(NamedTuple):
    """A scored sample: is the answer right by the label, does the judge pass it, and which pair is it?"""

    right: bool
    passed: bool
    pair: tuple[str, str]


class Paired(NamedTuple):
    """Against a baseline: matched samples, those that now pass and did not, and the reverse."""

    name: str
    matched: int
    gained: int
    lost: int


@dataclass(frozen=True)
class Evidence:
    """All that a gate can look at. What is absent leaves its requirement undecided."""

    tally: Tally
    categories: Mapping[str, Tally] = field(default_factory=dict)
    metrics: Mapping[str, Tally] = field(default_factory=dict)
    confusion: Sequence[Sequence[int]] = ()
    """Samples by expected category and answer; answers beyond the categories share the last column."""
    expected_categories: int = 0
    judged: Sequence[Judged] = ()
    flips: tuple[int, int] | None = None
    """Pairs on which repeats differ, and pairs with repeats."""
    baseline: Paired | None = None
    corrected: Callable[[float], CorrectedRate] | None = None
    """The pass rate corrected by a calibration, for a two-sided confidence."""
    unanswered: int = 0
    """Unscored samples that the model did not answer: no failure of the judge."""


def conditions(evidence: Evidence, policy: GatePolicy) -> list[Condition]:
    """All requirements of ``policy`` but the one on unscored samples, in the order in which they are shown."""
    found = [_every_sample(evidence)] if policy.gate == "every-sample" else [_pass_rate(evidence, policy)]
    if policy.min_category_pass_rate:
        found += _parts(evidence.categories, policy.min_category_pass_rate, policy, kind="category")
    if policy.min_metric_pass_rate:
        found += _parts(evidence.metrics, policy.min_metric_pass_rate, policy, kind="metric")
    if policy.min_accuracy is not None:
        found.append(_accuracy(evidence, policy, policy.min_accuracy))
    if policy.min_macro_f1 is not None:
        found.append(_macro_f1(evidence, policy, policy.min_macro_f1))
    if policy.baseline is not None:
        found.append(_no_worse(evidence, policy))
    if policy.max_flip_rate is not None:
        found.append(_flips(evidence, policy, policy.max_flip_rate))
    for name, minimum in (("sensitivity", policy.min_judge_sensitivity), ("specificity", policy.min_judge_specificity)):
        if minimum is not None:
            found.append(_judge(evidence, policy, name, minimum))
    return found


def _at_least(name: str, value: float, interval: Interval, minimum: float, detail: str) -> Condition:
    low, high = interval
    outcome: Outcome = "pass" if low >= minimum else "fail" if high < minimum else "inconclusive"
    return Condition(name=name, value=value, low=low, high=high, required=minimum, outcome=outcome, detail=detail)


def _undecided(name: str, required: float, detail: str) -> Condition:
    return Condition(
        name=name, value=None, low=None, high=None, required=required, outcome="inconclusive", detail=detail
    )


def _with_way_out(condition: Condition, policy: GatePolicy, *, of: str = "samples", worth: float = 1.0) -> Condition:
    """An open condition with the number of samples that would decide it."""
    if condition.outcome != "inconclusive" or condition.value is None:
        return condition
    said = way_out(condition.value, condition.required, confidence=policy.confidence, of=of, worth=worth)
    return condition.model_copy(update={"detail": f"{condition.detail}; {said}"})


def _two_sided(policy: GatePolicy) -> float:
    # Two one-sided tests at `confidence` each: the ends of this two-sided interval.
    return 2 * policy.confidence - 1


def _bounds(policy: GatePolicy, method: str) -> str:
    return f"one-sided {method} bounds at {policy.confidence:.0%} confidence each"


def _pass_rate(evidence: Evidence, policy: GatePolicy) -> Condition:
    tally = evidence.tally
    if policy.rate == "raw":
        interval = wilson(tally.passed, tally.scored, confidence=_two_sided(policy))
        rate = tally.passed / tally.scored
        return _at_least("pass rate", rate, interval, policy.min_pass_rate, _bounds(policy, "Wilson"))
    corrected = evidence.corrected(_two_sided(policy)) if evidence.corrected else None
    if corrected is None or corrected.estimate is None:
        reason = corrected.reason if corrected else "there is no calibration"
        return _undecided("corrected pass rate", policy.min_pass_rate, reason)
    rate, interval = corrected.estimate
    detail = f"{tally.passed / tally.scored:.1%} as judged; {_bounds(policy, 'Rogan-Gladen')}"
    return _at_least("corrected pass rate", rate, interval, policy.min_pass_rate, detail)


def _every_sample(evidence: Evidence) -> Condition:
    tally = evidence.tally
    return Condition(
        name="every sample",
        value=tally.failed,
        low=None,
        high=None,
        required=0,
        bound="at most",
        unit="count",
        outcome="fail" if tally.failed else "pass",
        detail=f"{tally.failed} of {tally.scored} samples failed",
    )


def _parts(
    tallies: Mapping[str, Tally],
    minima: Mapping[str, float],
    policy: GatePolicy,
    *,
    kind: Literal["category", "metric"],
) -> list[Condition]:
    """Every part at the full level: to pass, all must, so no correction is due (an intersection-union test).

    To say that one of many failed is another thing: among twenty good ones, one
    has a bad draw every time. So failures are named by Holm's procedure.
    """
    found: dict[str, Condition] = {}
    p_values: dict[str, float] = {}
    fewest = policy.min_category_samples if kind == "category" else 1
    for part in sorted(tallies.keys() | (minima.keys() - {"*"})):
        minimum = minima.get(part, minima.get("*"))
        if minimum is None:
            continue
        name = f"pass rate of {part}"
        if part not in tallies:
            # Asked for by name, misspelt perhaps: what was never measured is no reason to pass.
            found[part] = _undecided(name, minimum, f"no samples of such a {kind}")
            continue
        tally = tallies[part]
        if tally.scored < fewest:
            too_few = f"{tally.scored} samples; {fewest} are needed"
            found[part] = _undecided(name, minimum, too_few)
            continue
        interval = wilson(tally.passed, tally.scored, confidence=_two_sided(policy))
        rate = tally.passed / tally.scored
        found[part] = _at_least(name, rate, interval, minimum, f"{tally.scored} samples")
        p_values[part] = _p_value(tally, minimum)
    adjusted = holm(list(p_values.values())) if p_values else []
    plural = "categories" if kind == "category" else "metrics"
    for part, p_value in zip(p_values, adjusted, strict=True):
        condition = found[part]
        if condition.outcome == "fail" and p_value > 1 - policy.confidence:
            detail = f"{condition.detail}; too low by itself, not among {len(p_values)} {plural} (Holm)"
            found[part] = condition.model_copy(update={"outcome": "inconclusive", "detail": detail})
        else:
            found[part] = _with_way_out(condition, policy, of="samples of it" if kind == "category" else "samples")
    return list(found.values())


def _p_value(tally: Tally, minimum: float) -> float:
    """Of "the true rate reaches ``minimum``"; one of 0 cannot be missed, one of 1 by no chance."""
    if not 0 < minimum < 1:
        return 0.0 if tally.passed / tally.scored < minimum else 1.0
    return score_test(tally.passed, tally.scored, minimum, alternative="less")


def _accuracy(evidence: Evidence, policy: GatePolicy, minimum: float) -> Condition:
    right = sum(row[index] for index, row in enumerate(evidence.confusion))
    total = sum(map(sum, evidence.confusion))
    interval = wilson(right, total, confidence=_two_sided(policy))
    return _with_way_out(_at_least("accuracy", right / total, interval, minimum, _bounds(policy, "Wilson")), policy)


def _macro_f1(evidence: Evidence, policy: GatePolicy, minimum: float) -> Condition:
    measured = macro_f1(evidence.confusion, classes=evidence.expected_categories, confidence=_two_sided(policy))
    return _at_least("macro F1", measured.score, measured.interval, minimum, _bounds(policy, "delta-method"))


def _no_worse(evidence: Evidence, policy: GatePolicy) -> Condition:
    paired = evidence.baseline
    name = "difference to the baseline"
    if paired is None or paired.matched == 0:
        nothing = _undecided(name, -policy.margin, "no samples in common with a baseline")
        return nothing.model_copy(update={"unit": "difference"})
    found = no_worse(paired.gained, paired.lost, paired.matched, margin=policy.margin, confidence=policy.confidence)
    detail = (
        f"{paired.matched} samples in common with {paired.name}: {paired.gained} gained, {paired.lost} lost; "
        f"{_bounds(policy, 'score')}"
    )
    return Condition(
        name=name,
        value=found.difference,
        low=found.low,
        high=found.high,
        required=-policy.margin,
        unit="difference",
        outcome=found.outcome,
        detail=f"{detail}; {found.way_out}" if found.way_out else detail,
    )


def _flips(evidence: Evidence, policy: GatePolicy, maximum: float) -> Condition:
    if evidence.flips is None or evidence.flips[1] == 0:
        once = "the judge was asked once about each pair; --repeats 3 or more"
        return _undecided("judge's flip rate", maximum, once).model_copy(update={"bound": "at most"})
    flipped, pairs = evidence.flips
    low, high = wilson(flipped, pairs, confidence=_two_sided(policy))
    outcome: Outcome = "pass" if high <= maximum else "fail" if low > maximum else "inconclusive"
    condition = Condition(
        name="judge's flip rate",
        value=flipped / pairs,
        low=low,
        high=high,
        required=maximum,
        bound="at most",
        outcome=outcome,
        detail=f"{flipped} of {pairs} distinct pairs; {_bounds(policy, 'Wilson')}",
    )
    return _with_way_out(condition, policy, of="distinct pairs") if maximum > 0 else condition


def _judge(evidence: Evidence, policy: GatePolicy, name: str, minimum: float) -> Condition:
    title = f"judge's {name}"
    if not evidence.judged:
        return _undecided(title, minimum, "not measured at a threshold of 0.5 or less")
    measured = judge_error(
        [sample.right for sample in evidence.judged],
        [sample.passed for sample in evidence.judged],
        pairs=[sample.pair for sample in evidence.judged],
        confidence=_two_sided(policy),
    )
    rate = measured.sensitivity if name == "sensitivity" else measured.specificity
    if rate is None:
        kind = "right" if name == "sensitivity" else "wrong"
        return _undecided(title, minimum, f"no {kind} answer to show it on")
    detail = f"{rate.samples} samples, {rate.clusters} distinct pairs; bounds clustered on pairs"
    condition = _at_least(title, rate.rate, rate.interval, minimum, detail)
    # Each pair is worth so many independent ones; more of the same pairs would show nothing new.
    return _with_way_out(condition, policy, of="distinct pairs", worth=rate.effective / rate.clusters)
