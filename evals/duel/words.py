"""A duel in words: the sentence that says it all, and the lines below it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from evals.duel.model import Duel, DuelGate, PlaceInfo, Standing, Tally
from fixtures.contracts.files import printable

__all__ = ["describe", "points", "points_between", "sentence_of", "warnings_of"]

_WIDTH = 100
_HIGH_BIAS = 0.3
"""Share of rows whose verdict followed the place from which a reader is warned; our choice."""
_SURE = 0.05


def sentence_of(gate: DuelGate, tally: Tally, standing: Standing | None, confidence: float) -> str:
    """The gate's verdict, if there is one, and who is preferred by how much. ``standing`` is what the gate asks."""
    if standing is None:
        return f"Incomplete: none of {_rows(tally.rows)} has a verdict in both orders."
    said = _preference(standing, confidence)
    if gate.decided_by == "people":
        said = f"by people, {said}"
    if gate.outcome == "incomplete":
        missing = f"{tally.unscored} of {_rows(tally.rows)} have no verdict in both orders"
        return f"Incomplete: {missing}. Of the others: {said}."
    if gate.outcome == "not evaluated":
        return f"{said[:1].upper()}{said[1:]}."
    assert gate.margin is not None
    assert gate.low is not None
    assert gate.high is not None
    by = f"worse than A by more than {100 * gate.margin:.4g} points"
    verdict = {
        "pass": f"Pass: B is not {by}: with {gate.confidence:.0%} confidence its net preference is at least "
        f"{points(gate.low)}",
        "fail": f"Fail: B is {by}: with {gate.confidence:.0%} confidence its net preference is at most "
        f"{points(gate.high)}",
        "inconclusive": f"Inconclusive: undecided whether B is {by}: its net preference lies between "
        f"{points_between(gate.low, gate.high, 'and')} (one-sided bounds, {gate.confidence:.0%} each); {gate.way_out}",
    }[gate.outcome]
    return f"{verdict}. {said[:1].upper()}{said[1:]}."


def _preference(standing: Standing, confidence: float) -> str:
    if standing.net_low > 0:
        who = "B is preferred"
    elif standing.net_high < 0:
        who = "A is preferred"
    else:
        who = "neither is shown to be better"
    ties = f"{standing.ties} {'is a tie' if standing.ties == 1 else 'are ties'}"
    return (
        f"{who}: of {_rows(standing.rows)} B wins {standing.b_wins}, A wins {standing.a_wins}, {ties}; "
        f"net preference for B {points(standing.net)}, between "
        f"{points_between(standing.net_low, standing.net_high, 'and')} with {confidence:.0%} confidence"
    )


def warnings_of(duel: Duel) -> list[str]:
    """What a reader should know before relying on the figures."""
    found = []
    if not duel.judge.is_llm:
        found.append("the judge is a rule and no LLM: it counts words shared with the reference, and knows no meaning")
    if (places := duel.places) is not None:
        if places.p_value < _SURE and places.bias >= 0.1:
            place = "first" if places.first_twice > places.second_twice else "second"
            found.append(f"the judge prefers the {place} place (p = {places.p_value:.2g}): it does not only guess")
        if places.bias_low > _HIGH_BIAS:
            found.append(
                f"the verdict followed the place in {places.bias:.0%} of the rows: this judge hardly tells these "
                "answers apart, and its ties say little; try a stronger one, or more repeats"
            )
    for name, info in (("A", duel.a), ("B", duel.b)):
        if info.cut:
            found.append(f"answers of {name} that end at the limit of tokens: {info.cut:,}; the judge saw them cut")
        found += [f"{name}: {note}" for note in info.notes]
    return [*found, *duel.notes]


def describe(duel: Duel) -> str:
    """The summary for a terminal, the sentence first."""
    blocks = [
        textwrap.wrap(printable(duel.sentence), _WIDTH),
        list(_who(duel)),
        list(_figures(duel)),
        list(_places(duel.places)),
        list(_categories(duel)),
        list(_people(duel)),
        [line for warning in warnings_of(duel) for line in textwrap.wrap(f"note: {printable(warning)}", _WIDTH)],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _who(duel: Duel) -> Iterator[str]:
    for name, info in (("A", duel.a), ("B", duel.b)):
        said = f", {info.unanswered} rows unanswered" if info.unanswered else ""
        yield f"{name} is {printable(info.name)} ({info.kind}, {info.digest[:12]}{said})"
    repeats = f", {duel.judge.repeats} times in each order" if duel.judge.repeats > 1 else ""
    seen = "with" if duel.judge.sees_reference else "without"
    yield f"judge {printable(duel.judge.spec)}{repeats}, {seen} the reference; figures above 0 speak for B"


def _figures(duel: Duel) -> Iterator[str]:
    standing, tally = duel.standing, duel.tally
    if standing is None:
        return
    yield f"{'B wins':24}{standing.b_wins:6,}"
    yield f"{'A wins':24}{standing.a_wins:6,}"
    identical = f"  ({tally.identical:,} with identical answers)" if tally.identical else ""
    yield f"{'ties':24}{standing.ties:6,}{identical}"
    if tally.unscored:
        yield f"{'unscored':24}{tally.unscored:6,}  (in no figure)"
    rate = f"{standing.win_rate:.1%} (ties as half), between {standing.win_rate_low:.1%} and "
    yield f"win rate of B           {rate}{standing.win_rate_high:.1%}"
    if standing.decided_rate is not None:
        yield (
            f"  of decided rows       {standing.decided_rate:.1%}, between {standing.decided_low:.1%} and "
            f"{standing.decided_high:.1%}"
        )
    yield f"  sign test             p = {standing.p_value:.3g} (mid-p), {standing.p_exact:.3g} (exact)"


def _places(places: PlaceInfo | None) -> Iterator[str]:
    if places is None:
        return
    yield (
        f"position bias           {places.bias:.1%} of {_rows(places.rows)} judged in both orders, between "
        f"{places.bias_low:.1%} and {places.bias_high:.1%}"
    )
    yield (
        f"                        first place twice {places.first_twice:,}, second place twice "
        f"{places.second_twice:,} (p = {places.p_value:.3g}), one order only {places.one_order_only:,}"
    )
    yield (
        f"consistency             {places.consistency:.1%}, between {places.consistency_low:.1%} and "
        f"{places.consistency_high:.1%}"
    )


def _categories(duel: Duel) -> Iterator[str]:
    if len(duel.categories) < 2:
        return
    width = min(40, max(len("category"), *(len(row.category) for row in duel.categories)))
    yield f"{'category':{width}}  rows  B wins  A wins  ties  unscored   net preference for B"
    for row in duel.categories:
        tally, standing = row.tally, row.standing
        net = "-"
        if standing is not None:
            net = f"{points(standing.net)} ({points_between(standing.net_low, standing.net_high, 'to')})"
            if row.p_adjusted is not None and row.p_adjusted < _SURE:
                net += " *"
        name = printable(row.category)
        name = name if len(name) <= width else f"{name[: width - 1]}…"
        counts = f"{tally.rows:4}  {tally.b_wins:6}  {tally.a_wins:6}  {tally.ties:4}  {tally.unscored:8}"
        yield f"{name:{width}}  {counts}   {net}"
    if any(row.p_adjusted is not None and row.p_adjusted < _SURE for row in duel.categories):
        yield "* differs from 0 when all categories are asked at once (sign test, Holm, 5%)"


def _people(duel: Duel) -> Iterator[str]:
    people = duel.people
    if people is None:
        return
    said = _preference(people.standing, duel.confidence)
    raters = ", ".join(printable(rater.rater) for rater in people.raters)
    yield from textwrap.wrap(f"people ({raters}): {said}", _WIDTH)
    for row in people.agreement:
        if row.kappa is not None and row.kappa.kappa is not None:
            yield f"  {printable(row.first)} and {printable(row.second)}: {_kappa(row.kappa.kappa, row.samples)}"
    if people.with_judge is not None and people.with_judge.kappa is not None:
        kappa = people.with_judge
        yield (
            f"  people and judge: {_kappa(people.with_judge.kappa, kappa.samples)}, between {kappa.low:.2f} and "
            f"{kappa.high:.2f}; the same outcome on {kappa.observed:.1%}"
        )
    for note in people.notes:
        yield from textwrap.wrap(f"note: {printable(note)}", _WIDTH)


def points(share: float) -> str:
    """A difference of shares, in points with its sign."""
    return f"{_signed(share)} points"


def points_between(low: float, high: float, word: str) -> str:
    """Both ends of an interval, with ``word`` between them."""
    return f"{_signed(low)} {word} {points(high)}"


def _signed(share: float) -> str:
    # No sign before a zero.
    return f"{100 * share:+.1f}" if abs(share) >= 0.0005 else "0.0"


def _kappa(kappa: float, rows: int) -> str:
    return f"kappa {kappa:.2f} on {_rows(rows)}"


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"
