"""Which two reports may be compared, and what to know when they are.

A difference between two reports should be a difference between two models.
Whatever else could have made it is a reason to refuse; what could have made
only a little of it is said beside the figures.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from fixtures.contracts.errors import UserError
from fixtures.contracts.files import printable

if TYPE_CHECKING:
    from evals.reports.model import Report
    from evals.reports.rows import SampleRow
    from evals.reports.subject import DatasetInfo, JudgeInfo, JudgeMember

__all__ = ["notes", "other_measure", "refuse", "unfinished"]

_SHOWN = 60
"""Characters of a foreign text in a message."""


def refuse(baseline: Report, new: Report, *, for_gate: bool = False) -> None:
    """Raise UserError with all reasons why the two cannot be compared, if there are any.

    ``for_gate``: the gate of ``new`` is being made, so what its report says of
    it does not count; a gate deals with unscored samples by itself.
    """
    sides = [("baseline", baseline)] if for_gate and new.complete else [("baseline", baseline), ("new report", new)]
    reasons = [
        *(f"the {name} is {said}" for name, report in sides if (said := unfinished(report)) is not None),
        *other_measure(baseline, new.judge, new.dataset),
        *_no_pairs(baseline, new),
    ]
    if reasons:
        raise UserError("these reports cannot be compared:" + "".join(f"\n  {reason}" for reason in reasons))


def unfinished(report: Report) -> str | None:
    """Why ``report`` does not measure its model, or None if it does."""
    if not report.complete or report.gate.outcome == "not evaluated":
        return f"not complete: {_text(report.gate.sentence, 200)}"
    if report.gate.outcome == "incomplete":
        return f"incomplete: {report.tally.unscored} of {report.tally.total} samples have no verdict"
    return None


def other_measure(baseline: Report, judge: JudgeInfo, dataset: DatasetInfo) -> list[str]:
    """Why reports by this ``judge`` on this ``dataset`` cannot be compared with ``baseline``; empty if they can.

    Known before a run. Free to differ are the judge's address, the name of the
    data set (a file may move), which samples were drawn, and how often verdicts
    were repeated or confirmed: confirmations do not count, for repeats see `notes`.
    """
    before = baseline.judge
    reasons = []
    if _identities(before) != _identities(judge):
        reasons.append(f"judges differ, and each draws its own line: {_judges_apart(before, judge)}")
    if before.metrics and judge.metrics:
        reasons += _metrics_apart(before, judge)
    elif before.metric != judge.metric:
        reasons.append(f"metrics differ: {_text(before.metric)} and {_text(judge.metric)}")
    elif before.metric_fingerprint != judge.metric_fingerprint:
        reasons.append(
            f"metrics differ: {_text(before.metric)} asks judges in other words "
            f"({_text(before.metric_fingerprint[:8])} and {_text(judge.metric_fingerprint[:8])})"
        )
    if before.score_mode != judge.score_mode:
        reasons.append(
            f"score modes differ, so one threshold means two things: {before.score_mode} and {judge.score_mode}"
        )
    if before.threshold != judge.threshold and not (before.metrics or judge.metrics):
        reasons.append(f"thresholds differ, so passing means two things: {before.threshold:g} and {judge.threshold:g}")
    if baseline.dataset.digest != dataset.digest:
        reasons.append(f"test texts differ: {_data(baseline.dataset)} and {_data(dataset)}")
    return reasons


def notes(baseline: Report, new: Report, matched: Sequence[tuple[SampleRow, SampleRow]]) -> list[str]:
    """What could have made a part of the difference without being one between the models."""
    said = []
    if baseline.model.digest == new.model.digest:
        said.append("both reports are about the same model: differences come from where and how it was run")
    before, after = baseline.judge.repeats, new.judge.repeats
    if before != after and new.judge.is_llm:
        said.append(
            f"the judge was asked {_times(before)} about each pair for the baseline and {_times(after)} for the new "
            "report: a wavering judge passes another share by majority"
        )
    changed = [(old, row) for old, row in matched if {old.state, row.state} == {"passed", "failed"}]
    flipped = sum(old.predicted == row.predicted for old, row in changed)
    if flipped:
        said.append(
            f"{flipped} of {len(changed)} changes are the judge's, not the model's: the answer is the same in both "
            "reports, the verdict is not; runs that share a verdict store have none of these"
        )
    copies = len(matched) - len({(row.digest, row.expected) for _, row in matched})
    if copies:
        said.append(f"{copies} of {len(matched)} samples are copies of others, so the intervals are too narrow")
    return said


def _no_pairs(baseline: Report, new: Report) -> Iterator[str]:
    for name, report in (("baseline", baseline), ("new report", new)):
        twice = [key for key, count in Counter(row.id for row in report.samples).items() if count > 1]
        if twice:
            yield f"{len(twice)} ids stand twice in the {name}, e.g. {_text(twice[0])}"
    before = {row.id: row for row in baseline.samples}
    matched = [(before[row.id], row) for row in new.samples if row.id in before]
    other = [row.id for old, row in matched if (old.digest, old.expected) != (row.digest, row.expected)]
    if other and baseline.dataset.digest == new.dataset.digest:
        yield f"{len(other)} samples of the same id have another text or label, e.g. {_text(other[0])}"
    if not matched:
        yield (
            f"no sample is in both: {len(baseline.samples)} in the baseline, {len(new.samples)} in the new report; "
            "the same --num-samples and --seed draw the same ones"
        )
    elif all("unscored" in (old.state, row.state) for old, row in matched):
        yield f"none of the {len(matched)} samples in both has a verdict in both"


def _identities(judge: JudgeInfo) -> list[str]:
    # Seats on a panel have no order; a judge's address is in its name, not in its identity.
    return sorted(_canonical(member.identity) for member in judge.members)


def _metrics_apart(before: JudgeInfo, after: JudgeInfo) -> Iterator[str]:
    """A sample passes by all its metrics, so every one must be the same."""
    sides = [{metric.name: metric for metric in judge.metrics} for judge in (before, after)]
    for name in sorted(sides[0].keys() ^ sides[1].keys()):
        yield f"metrics differ: only {'the baseline' if name in sides[0] else 'the new report'} has {_text(name)}"
    for name in sorted(sides[0].keys() & sides[1].keys()):
        old, new = sides[0][name], sides[1][name]
        if old.fingerprint != new.fingerprint:
            yield (
                f"metrics differ: {_text(name)} asks for something else "
                f"({_text(old.fingerprint[:8])} and {_text(new.fingerprint[:8])})"
            )
        if old.threshold != new.threshold:
            yield f"thresholds of {_text(name)} differ: {old.threshold:g} and {new.threshold:g}"


def _canonical(identity: Any) -> str:
    return json.dumps(identity, sort_keys=True)


def _judges_apart(before: JudgeInfo, after: JudgeInfo) -> str:
    sides = [sorted(judge.members, key=_name) for judge in (before, after)]
    names = [", ".join(map(_name, members)) for members in sides]
    if names[0] != names[1]:
        return f"{names[0]} and {names[1]}"
    return "; ".join(filter(None, map(_apart, *sides)))


def _apart(old: JudgeMember, new: JudgeMember) -> str:
    was, is_ = old.identity, new.identity
    keys = sorted(key for key in was.keys() | is_.keys() if _canonical(was.get(key)) != _canonical(is_.get(key)))
    values = (f"{_text(key)} {_text(was.get(key))} and {_text(is_.get(key))}" for key in keys)
    return f"{_name(old)} with {', '.join(values)}" if keys else ""


def _name(judge: JudgeMember) -> str:
    return _text(re.split("@(?=https?://)", judge.spec)[0])


def _data(dataset: DatasetInfo) -> str:
    removed = f" without {', '.join(map(_text, dataset.remove))}" if dataset.remove else ""
    return f"{_text(dataset.name)}{removed} ({dataset.total:,} texts, digest {_text(dataset.digest[:8])})"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _text(value: Any, length: int = _SHOWN) -> str:
    text = " ".join(printable(str(value)).split())
    return text if len(text) <= length else text[: length - 1] + "…"
