"""What people said of the same pairs of answers: read, counted, and held against each other and the judge.

A sheet says left, right or tie, and ``sides.json`` whose answers those are.
Ratings from elsewhere say A, B or tie.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from evals.calibration.agreement import agreement_of_raters, kappa_info, weak_agreement
from evals.calibration.ratings import Label, read_ratings
from evals.calibration.scale import Scale
from evals.duel.figures import standing_of
from evals.duel.model import People, RaterResult
from evals.duel.sheet import Sides
from fixtures.contracts.errors import UserError

__all__ = ["Choice", "Said", "people_of", "read_people"]

Choice = Literal["A", "B", "tie"]


class Said(NamedTuple):
    """All that people said. ``identical``: ties that nobody was asked about."""

    source: str
    labels: list[Label]
    identical: int
    notes: list[str]

    @property
    def by_row(self) -> dict[str, dict[str, Choice]]:
        """What each rater said of each row."""
        rows: dict[str, dict[str, Choice]] = {}
        for label in self.labels:
            rows.setdefault(label.id, {})[label.rater] = _choice(label)
        return rows


def read_people(paths: Sequence[Path], known: Collection[str], sides: Sides | None, *, allow_missing: bool) -> Said:
    """The ratings of all files, in either layout of `evals.calibration.ratings`.

    Raises UserError with all faults by line.
    """
    if sides is None:
        # What passes and what fails means nothing here; the labels do.
        scale, asked = Scale(pass_labels=("A",), fail_labels=("B", "tie")), known
        sided: Mapping[str, Mapping[str, str]] = {name: {"a": "A", "b": "B", "tie": "tie"} for name in known}
    else:
        scale = Scale(pass_labels=("left",), fail_labels=("right", "tie"))
        asked = {name for name, left in sides.left.items() if left != "same"}
        sided = {name: _sided(left) for name, left in sides.left.items()}
    try:
        ratings = read_ratings(paths, scale, known=asked, allow_missing=allow_missing)
    except UserError as error:
        raise UserError(_explained(str(error), sides)) from error
    labels = [
        label._replace(rating=label.rating._replace(label=sided[label.id][label.rating.label]))
        for label in ratings.labels
    ]
    if not labels:
        raise UserError(f"{', '.join(map(str, paths))}: there is no rating")
    identical, notes = (0, []) if sides is None else _identical(sides, rated={label.id for label in labels})
    return Said(", ".join(path.name for path in paths), labels, identical, [*ratings.notes, *notes])


def people_of(said: Said, judged: Mapping[str, str], *, confidence: float) -> People:
    """Figures of what people ``said``; ``judged`` has the judge's outcome of each row."""
    by_row = said.by_row
    majority = {name: most_say(list(votes.values())) for name, votes in by_row.items()}
    count = Counter(majority.values())
    standing = standing_of(count["B"], count["A"], count["tie"] + said.identical, confidence=confidence)
    assert standing is not None
    raters = list(dict.fromkeys(label.rater for label in said.labels))
    both = [(majority[name], judged[name]) for name in majority if judged[name] != "unscored"]
    agreement = agreement_of_raters(said.labels, raters, confidence)
    return People(
        source=said.source,
        standing=standing,
        identical=said.identical,
        raters=[_result(rater, said.labels) for rater in raters],
        agreement=agreement,
        with_judge=kappa_info(*zip(*both, strict=True), confidence=confidence) if both else None,
        notes=[*said.notes, *weak_agreement(agreement)],
    )


def most_say(votes: Sequence[Choice]) -> Choice:
    """What more raters say than anything else; a tie where nothing is."""
    (choice, most), *others = Counter(votes).most_common()
    return "tie" if others and others[0][1] == most else choice


def _identical(sides: Sides, *, rated: Collection[str]) -> tuple[int, list[str]]:
    """How many rows of the sheet are ties by themselves, and a note where not all of them count.

    All of them beside some of the rated ones would make the two candidates look alike.
    """
    same = sum(left == "same" for left in sides.left.values())
    asked = len(sides.left) - same
    counted = round(same * len(rated) / asked)
    if len(rated) == asked:
        return same, []
    note = f"{len(rated)} of {asked} pairs of the sheet are rated"
    return counted, [f"{note}; in proportion, {counted} of {same} pairs of identical answers count" if same else note]


def _sided(left: str) -> dict[str, str]:
    return {"left": left, "right": "A" if left == "B" else "B", "tie": "tie"}


def _choice(label: Label) -> Choice:
    choices: dict[str, Choice] = {"A": "A", "B": "B", "tie": "tie"}
    return choices[label.rating.label]


def _explained(error: str, sides: Sides | None) -> str:
    if sides is None and ("'left'" in error or "'right'" in error):
        error += "\n  left and right need the sides.json that `python -m evals label duel` left in --save-to"
    return error.replace(" in the report", " in the sheet" if sides is not None else " in the duel")


def _result(rater: str, labels: Sequence[Label]) -> RaterResult:
    count = Counter(label.rating.label for label in labels if label.rater == rater)
    return RaterResult(rater=rater, rows=count.total(), b=count["B"], a=count["A"], ties=count["tie"])
