"""``duel.md``: the duel for a pull request or a chat, figures only."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evals.duel.model import Duel, Standing
from evals.duel.words import points, points_between, warnings_of
from fixtures.contracts.files import printable

__all__ = ["markdown"]

_MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+!|~$@&])")


def markdown(duel: Duel) -> str:
    """The sentence, the figures, the categories. Nothing that a candidate or a judge wrote is in it."""
    return "\n\n".join("\n".join(block) for block in _blocks(duel)) + "\n"


def _blocks(duel: Duel) -> Iterator[list[str]]:
    yield [f"**{_text(duel.sentence)}**"]
    yield [
        f"A is {_text(duel.a.name)}, B is {_text(duel.b.name)}; judge {_text(duel.judge.spec)}. "
        "Figures above 0 speak for B."
    ]
    if duel.standing is not None:
        yield list(_figures(duel, duel.standing))
    if len(duel.categories) > 1:
        yield [
            "| category | rows | B wins | A wins | ties | unscored | net preference for B |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
            *(
                f"| {_text(row.category)} | {row.tally.rows:,} | {row.tally.b_wins:,} | {row.tally.a_wins:,} | "
                f"{row.tally.ties:,} | {row.tally.unscored:,} | {_net(row.standing)} |"
                for row in duel.categories
            ),
        ]
    if warnings := warnings_of(duel):
        yield [f"- {_text(warning)}" for warning in warnings]


def _figures(duel: Duel, standing: Standing) -> Iterator[str]:
    yield "| | |"
    yield "| --- | --- |"
    yield f"| B wins, A wins, ties | {standing.b_wins:,}, {standing.a_wins:,}, {standing.ties:,} |"
    if duel.tally.unscored:
        yield f"| unscored | {duel.tally.unscored:,} |"
    yield f"| net preference for B | {_net(standing)} |"
    yield f"| win rate of B, ties as half | {_rate(standing.win_rate, standing.win_rate_low, standing.win_rate_high)} |"
    if standing.decided_rate is not None:
        rate = _rate(standing.decided_rate, standing.decided_low, standing.decided_high)
        yield f"| win rate of B, decided rows | {rate} |"
    yield f"| sign test | p = {standing.p_value:.3g} |"
    if (places := duel.places) is not None:
        yield f"| position bias | {_rate(places.bias, places.bias_low, places.bias_high)} |"
        yield f"| consistency | {_rate(places.consistency, places.consistency_low, places.consistency_high)} |"
    if (people := duel.people) is not None:
        yield f"| people: net preference for B | {_net(people.standing)} |"
        if people.with_judge is not None and people.with_judge.kappa is not None:
            yield f"| people and judge | kappa {people.with_judge.kappa:.2f} on {people.with_judge.samples:,} rows |"


def _net(standing: Standing | None) -> str:
    if standing is None:
        return "\N{EN DASH}"
    return f"{points(standing.net)} ({points_between(standing.net_low, standing.net_high, 'to')})"


def _rate(rate: float, low: float | None, high: float | None) -> str:
    return f"{rate:.1%} ({low:.1%} to {high:.1%})"


def _text(text: str) -> str:
    """A foreign text on one line, in which nothing is markup."""
    return _MARKUP.sub(r"\\\1", " ".join(printable(text).split()))
