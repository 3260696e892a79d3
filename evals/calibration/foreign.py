"""Verdicts of judges that are not ours: one line per judgement, in fields that the user names.

A sample may be judged several times. Its verdict is then the majority's, as in
our own runs, and a vote that is missing leaves it without one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

from evals.calibration.fields import Fields
from evals.calibration.judgements import Judged, JudgeData, flips_of
from evals.calibration.model import Flips, SourceInfo
from evals.calibration.ratings import Label, cell_votes
from evals.calibration.scale import Scale
from evals.calibration.tables import Faults, Row, check, is_empty, read_table
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import sha256_file

__all__ = ["read_judgements"]


@dataclass(frozen=True, slots=True)
class _Vote:
    repeat: str
    passed: bool | None
    score: float | None
    reason: str
    unreadable: str | None


@dataclass(slots=True)
class _Sample:
    """All lines about one sample; ``truth`` is as the file gives it."""

    line: int
    group: str
    votes: dict[str, _Vote]
    truth: Any = None


def read_judgements(
    path: Path, named: Mapping[str, str | None], scale: Scale, *, threshold: float | None, confidence: float
) -> tuple[JudgeData, list[Label]]:
    """A judge's verdicts, and the labels that stand beside them (none without a field for truth).

    ``named`` maps roles to field names, or to None where a field may be called as its
    role is (see `Fields`). Raises UserError for a named field that is nowhere, and
    for all faulty lines at once.
    """
    rows = read_table(path)
    fields = Fields.of_file(path, rows, named)
    if "verdict" not in fields.names and ("score" not in fields.names or threshold is None):
        raise UserError(f"{path}: name the verdict by --verdict-field, or the score by --score-field and --threshold")
    faults = Faults(str(path))
    samples: dict[str, _Sample] = {}
    for row in rows:
        try:
            _collect(row, fields, scale, threshold, samples)
        except ValueError as error:
            faults.add(row.line, str(error))
    labels = _labels(samples, fields, scale, faults)
    check(faults)
    judged = [_judged(name, sample) for name, sample in samples.items()]
    source = SourceInfo(
        name=path.name,
        digest=sha256_file(path),
        samples=len(judged),
        unscored=sum(sample.passed is None for sample in judged),
        threshold=threshold,
    )
    flips = _flips(samples.values(), confidence)
    return JudgeData(path.name, source, None, judged, flips, _notes(samples.values())), labels


def _collect(row: Row, fields: Fields, scale: Scale, threshold: float | None, samples: dict[str, _Sample]) -> None:
    """Add a line to its sample. Raises ValueError for what is wrong with it."""
    name = fields.text(row, "id")
    if not name:
        raise ValueError(f'there is no id in field "{fields.names["id"]}"')
    vote = _vote(row, fields, scale, threshold)
    sample = samples.setdefault(name, _Sample(row.line, fields.text(row, "group"), {}))
    if vote.repeat in sample.votes:
        repeats = "" if "repeat" in fields.names else "; if these are repeats, say what numbers them by --repeat-field"
        raise ValueError(f"sample {name!r} was judged already, as in line {sample.line}{repeats}")
    sample.votes[vote.repeat] = vote
    truth = fields.value(row, "truth")
    if truth is not None and sample.truth is not None and truth != sample.truth:
        raise ValueError(f"sample {name!r} has another truth than before, {str(truth)[:40]!r}")
    sample.truth = sample.truth if truth is None else truth


def _vote(row: Row, fields: Fields, scale: Scale, threshold: float | None) -> _Vote:
    score, said = fields.number(row, "score"), fields.value(row, "verdict")
    passed, unreadable = None, None
    if "verdict" not in fields.names:
        passed = None if score is None or threshold is None else score >= threshold
    elif said is not None:
        try:
            passed = scale.read_verdict(said).passed
        except ValueError:
            # A judge that says something else gives no verdict; that is its fault, not the file's.
            unreadable = str(said)[:40]
    return _Vote(fields.text(row, "repeat"), passed, score, fields.text(row, "reason"), unreadable)


def _judged(name: str, sample: _Sample) -> Judged:
    votes = list(sample.votes.values())
    passes = sum(vote.passed is True for vote in votes)
    complete = all(vote.passed is not None for vote in votes) and 2 * passes != len(votes)
    passed = 2 * passes > len(votes) if complete else None
    scores = [vote.score for vote in votes if vote.score is not None]
    return Judged(
        id=name,
        cluster=name,
        passed=passed,
        score=median(scores) if len(scores) == len(votes) else None,
        reason=next((vote.reason for vote in votes if vote.passed is passed), ""),
        group=sample.group or None,
        about="",
        text="",
    )


def _labels(samples: Mapping[str, _Sample], fields: Fields, scale: Scale, faults: Faults) -> list[Label]:
    labels = []
    for name, sample in samples.items():
        votes = cell_votes(fields.names["truth"], sample.truth) if sample.truth is not None else ()
        for rater, value in votes:
            if is_empty(value):
                continue
            try:
                labels.append(Label(name, rater, scale.read(value), None))
            except ValueError as error:
                faults.add(sample.line, str(error))
    return labels


def _flips(samples: Collection[_Sample], confidence: float) -> Flips | None:
    several = [sample.votes.values() for sample in samples if len(sample.votes) > 1]
    if not several:
        return None
    flipped = sum(len({vote.passed for vote in votes} - {None}) > 1 for votes in several)
    scores = [[vote.score for vote in votes if vote.score is not None] for votes in several]
    spreads = [max(found) - min(found) for found in scores if len(found) > 1]
    return flips_of(flipped, len(several), fmean(spreads) if spreads else None, confidence=confidence)


def _notes(samples: Collection[_Sample]) -> list[str]:
    votes = [vote for sample in samples for vote in sample.votes.values()]
    unreadable = [vote.unreadable for vote in votes if vote.unreadable is not None]
    notes = []
    if unreadable:
        shown = ", ".join(repr(text) for text in list(dict.fromkeys(unreadable))[:3])
        notes.append(f"{len(unreadable)} of {len(votes)} verdicts are none that can be read: {shown}")
    ties = sum(2 * sum(v.passed is True for v in s.votes.values()) == len(s.votes) for s in samples if len(s.votes) > 1)
    if ties:
        notes.append(f"on {ties} samples the judge's repeats are evenly split; they count as without a verdict")
    return notes
