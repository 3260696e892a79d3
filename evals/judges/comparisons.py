"""Two answers to one question, as a judgement: which of them is better?

Places take the fields that other metrics use otherwise: the first answer is
``actual``, the second ``expected``, and ``input`` holds what both of them answer.
The two orders of a pair are thus two judgements, and the reference is part of a
verdict's address wherever a judge gets to see it.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from evals.judges.base import Judgement
from fixtures.contracts.files import printable

__all__ = ["PREFERENCE", "Comparison"]

PREFERENCE = "Preference"
"""The metric that such judgements are of."""


class Comparison(NamedTuple):
    """A question, two answers in the order in which they are shown, and the reference if it is shown."""

    question: str
    first: str
    second: str
    reference: str | None

    @property
    def exchanged(self) -> Comparison:
        """The same with the answers in each other's place."""
        return self._replace(first=self.second, second=self.first)

    @property
    def judgement(self) -> Judgement:
        """What a jury takes."""
        # Neither a store nor a report takes lone surrogates and control characters for text.
        first, second, question = map(printable, (self.first, self.second, self.question))
        reference = None if self.reference is None else printable(self.reference)
        return Judgement(first, second, json.dumps([question, reference], ensure_ascii=False), PREFERENCE)

    @classmethod
    def of(cls, judgement: Judgement) -> Comparison:
        """The comparison that a judgement of this metric is about."""
        question, reference = json.loads(judgement.input)
        return cls(question, judgement.actual, judgement.expected, reference)
