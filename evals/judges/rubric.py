"""The embedded judge: the metric's own rubric, applied by rule. It is no LLM.

It lets a newcomer run the whole job without a server or a key, and tests run
it at full speed. It sees what GEval's prompt is about as data, not by parsing
the prompt back: a category named ``Expected Output:`` cannot mislead it.

Of a chat model's answer it counts words: ten times the token F1 of answer and
reference. That says how alike they are, not whether the answer is right.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from evals.judges.base import (
    CATEGORY_PRECISION,
    CORRECTNESS,
    Capabilities,
    Judgement,
    JudgeUnavailable,
    Question,
    Reply,
)
from evals.judges.comparisons import PREFERENCE, Comparison
from evals.judges.overlap import prefer
from evals.text_measures import token_f1
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import sha256_text

__all__ = ["KNOWN_METRICS", "RubricJudge", "Taxonomy", "read_taxonomy"]

KNOWN_METRICS = (CATEGORY_PRECISION, CORRECTNESS)
"""What there are rules for."""

EMBEDDED = Path(__file__).parent / "taxonomy.json"
HEDGES = re.compile(
    r"\b(?:or|either|maybe|perhaps|possibly|probably|might|unsure|not sure|unclear)\b|\?", re.IGNORECASE
)


@dataclass(frozen=True)
class Taxonomy:
    """Groups of related categories, by group name."""

    groups: dict[str, tuple[str, ...]]

    @cached_property
    def group_of(self) -> dict[str, str]:
        """The group of each category, by its name in lower case."""
        return {category.casefold(): group for group, members in self.groups.items() for category in members}


def read_taxonomy(path: Path | None) -> Taxonomy:
    """Groups from a JSON object ``{"group": ["category", ...]}``; None means the embedded ones.

    Raises UserError for another shape or a category in two groups.
    """
    source = path or EMBEDDED
    try:
        groups = json.loads(source.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read taxonomy {source}: {error}") from error
    if not isinstance(groups, dict) or not all(
        isinstance(members, list) and all(isinstance(member, str) for member in members) for members in groups.values()
    ):
        raise UserError(f'taxonomy {source}: must be like {{"group": ["category", "category"]}}')
    flat = [member.casefold() for members in groups.values() for member in members]
    twice = sorted({member for member in flat if flat.count(member) > 1})
    if twice:
        raise UserError(f'taxonomy {source}: category "{twice[0]}" stands in two groups')
    return Taxonomy({group: tuple(members) for group, members in groups.items()})


class RubricJudge:
    """Ten for the expected category, five for a related one, less for hedging."""

    spec = "rubric"
    model = "rubric"
    is_llm = False
    concurrency = 8

    def __init__(self, taxonomy: Taxonomy) -> None:
        self.taxonomy = taxonomy
        groups = json.dumps(taxonomy.groups, sort_keys=True)
        self.identity: Mapping[str, Any] = {"kind": "rubric", "rules": 1, "taxonomy": sha256_text(groups)}

    async def close(self) -> None:
        """Nothing to let go of."""

    async def examine(self, question: Question) -> tuple[Reply, Capabilities]:
        """Answer: rules need no examination."""
        return await self.answer(question), Capabilities(self.model, "it builds the JSON itself", logprobs=False)

    async def answer(self, question: Question) -> Reply:
        """The rubric's verdict as the JSON that GEval asks for."""
        if question.judgement.metric == PREFERENCE:
            score, reason = prefer(Comparison.of(question.judgement))
        elif question.judgement.metric == CORRECTNESS:
            score, reason = _likeness(question.judgement)
        elif question.judgement.metric == CATEGORY_PRECISION:
            score, reason = self._score(question.judgement)
        else:
            known = " and ".join(KNOWN_METRICS)
            raise JudgeUnavailable(f"the rubric judge knows {known} only; name an LLM with --judge")
        return Reply(json.dumps({"reason": reason, "score": score}))

    def _score(self, judgement: Judgement) -> tuple[int, str]:
        actual, expected = judgement.actual.strip(), judgement.expected.strip()
        if actual.casefold() == expected.casefold():
            return 10, "The actual output is exactly the expected category."
        named = self._categories_in(actual, expected)
        if not named:
            return 0, "The actual output names no known category."
        first, others = named[0], len(named) - 1
        score, reason = self._relation(first, expected)
        if others:
            score -= 2 * others
            reason += f" It names {others} more beside it."
        if HEDGES.search(self._without(actual, named)):
            score -= 5
            reason += " It is stated ambiguously."
        return max(0, score), reason

    def _relation(self, first: str, expected: str) -> tuple[int, str]:
        if first == expected.casefold():
            return 10, "The most prominent category is the expected one."
        group = self.taxonomy.group_of.get(first)
        if group is not None and group == self.taxonomy.group_of.get(expected.casefold()):
            return 5, f"Not the expected category, but both are about {group}."
        return 0, "The categories are unrelated."

    def _categories_in(self, text: str, expected: str) -> list[str]:
        """Known categories named in ``text``, in order; a longer name hides one inside it."""
        known = {expected.casefold(), *self.taxonomy.group_of}
        spans = sorted(
            (match.start(), -match.end(), name)
            for name in known
            for match in re.finditer(rf"(?<![\w.]){re.escape(name)}(?![\w])", text.casefold())
        )
        outer = [
            span
            for position, span in enumerate(spans)
            if not any(start <= span[0] and end <= span[1] for start, end, _ in spans[:position])
        ]
        return list(dict.fromkeys(name for _, _, name in outer))

    @staticmethod
    def _without(text: str, named: list[str]) -> str:
        """``text`` less the category names, which may themselves contain a hedging word."""
        text = text.casefold()
        for name in sorted(named, key=len, reverse=True):
            text = text.replace(name, " ")
        return text


def _likeness(judgement: Judgement) -> tuple[int, str]:
    likeness = token_f1(judgement.actual, judgement.expected)
    return round(10 * likeness), f"By rule, no LLM: token F1 of answer and reference is {likeness:.2f}."
