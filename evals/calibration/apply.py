"""A stored calibration, applied to later runs of the same judge.

The labels behind it are of other samples, with another share of failures, so
only the judge's error rates carry over: Rogan and Gladen's rate. They carry
over to the same judge only, asked the same question in the same way.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from evals.calibration.model import Calibration
from evals.calibration.rates import by_error_rates
from evals.reports.rows import SampleRow
from evals.reports.subject import JudgeInfo
from evals.statistics import Estimate, wilson
from fixtures.contracts.errors import UserError

__all__ = ["CorrectedRate", "corrected_rate", "read_calibration", "why_unusable"]


class CorrectedRate(NamedTuple):
    """The pass rate behind the judge's, or None and the ``reason`` why there is none; ``raw`` is the judge's."""

    estimate: Estimate | None
    raw: Estimate | None
    reason: str


def read_calibration(path: Path) -> Calibration:
    """A calibration from its file. Raises UserError if it is none."""
    try:
        return Calibration.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(f"cannot read calibration {path}: {error.strerror or error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UserError(f"{path} is no calibration of this version: {place}: {first['msg']}") from error


def why_unusable(calibration: Calibration) -> str | None:
    """Why no pass rate can be corrected by ``calibration``, whatever the run; None if it may be."""
    sensitivity, specificity = calibration.sensitivity, calibration.specificity
    if calibration.judge is None:
        return "it is of another system's judge, and no run of ours has that one"
    if sensitivity is None or specificity is None:
        missing = "passes" if sensitivity is None else "fails"
        return f"no sample of the calibration truly {missing}, so half of the judge's errors are unknown"
    if sensitivity.rate + specificity.rate <= 1 + 1e-12:
        return (
            f"the judge is no better than chance: sensitivity {sensitivity.rate:.3g} and specificity "
            f"{specificity.rate:.3g} add up to no more than 1"
        )
    return None


def corrected_rate(
    calibration: Calibration, judge: JudgeInfo, rows: Sequence[SampleRow], *, confidence: float
) -> CorrectedRate:
    """The pass rate of ``rows``, judged by ``judge``, freed of the errors that ``calibration`` found.

    ``confidence`` is two-sided. Rows without a verdict are left out. Raises
    UserError naming every difference for another judge, metric, score mode,
    threshold or number of repeats. Verdicts that cannot be corrected (a judge no
    better than chance, one kind of label missing, a pass rate that such a judge
    cannot give) are no error: there is no estimate, for a reason.
    """
    if differences := list(_differences(calibration.judge, judge)):
        lines = "\n".join(f"  {line}" for line in differences)
        raise UserError(f"the calibration with {calibration.source.name} is of another judge\n{lines}")
    passed = sum(row.state == "passed" for row in rows)
    scored = sum(row.state != "unscored" for row in rows)
    if not scored:
        return CorrectedRate(None, None, "the judge gave no verdict")
    raw = Estimate(passed / scored, wilson(passed, scored, confidence=confidence))
    sensitivity, specificity = calibration.sensitivity, calibration.specificity
    reason = why_unusable(calibration)
    if reason is not None or sensitivity is None or specificity is None:
        return CorrectedRate(None, raw, reason or "")
    try:
        estimate = by_error_rates(raw.rate, scored, sensitivity, specificity, confidence=confidence)
    except ValueError as error:
        return CorrectedRate(None, raw, str(error))
    return CorrectedRate(
        estimate,
        raw,
        f"the judge passes {sensitivity.rate:.1%} of what is right and fails {specificity.rate:.1%} of what is wrong, "
        f"by the calibration with {calibration.source.name}",
    )


def _differences(calibrated: JudgeInfo | None, judge: JudgeInfo) -> Iterator[str]:
    """What is not the same, a line each."""
    if calibrated is None:
        yield "it was made from a file of verdicts that does not say all that can change them"
        return
    members = [sorted((member.identity for member in info.members), key=_text) for info in (calibrated, judge)]
    if len(members[0]) != len(members[1]):
        yield _line("judges on the panel", len(members[0]), len(members[1]))
    else:
        for was, now in zip(*members, strict=True):
            yield from _entries("judge", was, now)
    for name in ("metric", "metric_fingerprint", "score_mode", "threshold", "repeats"):
        was, now = getattr(calibrated, name), getattr(judge, name)
        if was != now:
            yield _line(name.replace("_", " "), was, now)


def _entries(place: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for key in dict.fromkeys([*was, *now]):
        if was.get(key) != now.get(key):
            yield _line(f"{place} {key}", was.get(key), now.get(key))


def _line(name: str, was: Any, now: Any) -> str:
    return f"{name}: {_text(was)[:80]} in the calibration, {_text(now)[:80]} in the run"


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
