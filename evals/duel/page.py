"""``duel.html``: the duel for people to look at, with both answers to every row side by side."""

from __future__ import annotations

from collections.abc import Callable

from evals.duel import charts
from evals.duel.model import Duel, DuelRow
from evals.duel.words import points, points_between, warnings_of
from evals.reports.html.frame import asset, render
from evals.reports.html.wording import OUTCOMES
from fixtures.contracts.files import printable

__all__ = ["html"]

# A page should open in a moment, whatever the candidates wrote.
_BUDGET = 8 * 2**20
_LENGTHS = (20_000, 4_000, 1_000, 300)

_HOW = {
    "both orders": "the same verdict in both orders",
    "first place": "the first place was preferred in both orders",
    "second place": "the second place was preferred in both orders",
    "one order only": "preferred in one order only",
    "identical": "identical answers, nobody was asked",
    "unscored": "no verdict",
}


def html(duel: Duel) -> str:
    """The duel as one self-contained page."""
    asked = duel.people.standing if duel.gate.decided_by == "people" and duel.people is not None else duel.standing
    first, rest = _parted(duel.sentence, OUTCOMES[duel.gate.outcome])
    return render(
        "duel.html",
        style=asset("report.css") + asset("duel.css"),
        script=asset("duel.js"),
        colour=duel.gate.outcome,
        duel=duel,
        outcome=OUTCOMES[duel.gate.outcome],
        first=first,
        rest=rest,
        standing_asked=asked,
        warnings=warnings_of(duel),
        charts=charts,
        points=points,
        points_between=points_between,
        how=_HOW,
        asked_last=_asked_last,
        cut=_cut_for(duel.rows),
        said=lambda row: ", ".join(f"{rater}: {choice}" for rater, choice in row.people.items()),
    )


def _parted(sentence: str, outcome: str) -> tuple[str, str]:
    """What the badge does not say yet, its first clause apart from the rest."""
    sentence = sentence.removeprefix(f"{outcome}: ")
    ends = [place for mark in (": ", ". ") if (place := sentence.find(mark)) > 0]
    place = min(ends, default=len(sentence))
    return f"{sentence[:1].upper()}{sentence[1:place]}", sentence[place:]


def _asked_last(question: str) -> str:
    """What the user said last, on one line."""
    return " ".join(printable(question.rpartition("\n\nuser: ")[2]).split())[:200]


def _cut_for(rows: list[DuelRow]) -> Callable[[str], str]:
    """Cuts texts to what the page can bear."""
    texts = [text for row in rows for text in (row.question, row.reference, row.a or "", row.b or "")]
    length = next(
        (length for length in _LENGTHS if sum(len(text[:length].encode()) for text in texts) <= _BUDGET), _LENGTHS[-1]
    )

    def cut(text: str) -> str:
        text = printable(text)
        return text if len(text) <= length else f"{text[:length]} … ({len(text) - length:,} more characters)"

    return cut
