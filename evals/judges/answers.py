"""What counts as an answer: one JSON object with an integer from 0 to 10 and a reason.

GEval itself would take 15, NaN or a missing reason. There is no default score:
what cannot be read is no verdict.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from evals.judges.base import Reply, Token

__all__ = ["SCHEMA", "Answer", "MalformedAnswer", "parse_answer", "weighted_score"]

HIGHEST = 10
SCHEMA: Mapping[str, Any] = MappingProxyType(
    {
        "type": "object",
        "properties": {
            # The reason comes first: a judge that has to explain before it scores, scores better.
            "reason": {"type": "string"},
            # Servers differ in which bounds of numbers they enforce; all of them know enumerations.
            "score": {"type": "integer", "enum": list(range(HIGHEST + 1))},
        },
        "required": ["reason", "score"],
        "additionalProperties": False,
    }
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A valid answer: a score on GEval's scale, 0 to 10, and a reason."""

    score: float
    reason: str


class MalformedAnswer(Exception):
    """The judge answered, but not with a verdict. Carries the raw answer."""

    def __init__(self, problem: str, raw: str) -> None:
        super().__init__(problem)
        self.raw = raw


_THINKING = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_FENCE = re.compile(r"\A```(?:json)?\s*\n(.*)\n\s*```\Z", re.DOTALL)


def parse_answer(raw: str) -> Answer:
    """Read a verdict, strictly.

    Exactly one JSON object, alone or in one code fence, after an optional
    ``<think>`` block; further keys are ignored. An integer may be spelled
    ``8``, ``8.0`` or ``"8"``. Raises MalformedAnswer for all else.
    """
    text = _THINKING.sub("", raw).strip()
    if not text:
        raise MalformedAnswer("it is empty", raw)
    if fenced := _FENCE.match(text):
        text = fenced[1]
    try:
        value = json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except RecursionError as error:
        raise MalformedAnswer("it is nested too deeply", raw) from error
    except ValueError as error:
        raise MalformedAnswer(f"it is not one JSON object: {error}", raw) from error
    if not isinstance(value, dict):
        raise MalformedAnswer(f"it is a JSON {type(value).__name__} instead of an object", raw)
    reason = value.get("reason")
    if not isinstance(reason, str) or not reason.strip():
        raise MalformedAnswer("it has no reason", raw)
    score = _integer(value.get("score"))
    if score is None or not 0 <= score <= HIGHEST:
        said = repr(value.get("score"))[:50] if "score" in value else "missing"
        raise MalformedAnswer(f"the score is {said}, not an integer from 0 to {HIGHEST}", raw)
    return Answer(score, reason)


def _integer(value: Any) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,2}(\.0)?", value):
        value = float(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    if len(set(keys)) < len(keys):
        raise ValueError("a key is given twice")
    return dict(pairs)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


# -- the score as an expectation ---------------------------------------------

_SCORE = re.compile(r'"score"\s*:\s*"?(?=[0-9])')
_AMBIGUOUS = 0.05


def weighted_score(reply: Reply) -> float:
    """Mean of the scores 0 to 10, weighted by the probabilities at the score's token.

    The "probability-weighted summation" of Liu et al. (2023), "G-Eval", EMNLP,
    section 2, over the alternatives that the judge tells, normalised by their
    sum; DeepEval does the same for its own models. Where the tokenizer splits
    "10", a first token "1" stands for 1 or 10: its probability is split as the
    next token says where the judge went there, and the answer is malformed
    where it did not and the share is over 5 %. Raises MalformedAnswer, also
    when there are no probabilities.
    """
    if reply.tokens is None:
        raise MalformedAnswer("it came without the logprobs that --score-mode weighted needs", reply.text)
    index = _score_token(reply.text, reply.tokens)
    if index is None:
        raise MalformedAnswer("the score is not found among the logprobs", reply.text)
    mass = _mass_by_digits(reply.tokens[index])
    one_or_ten = mass.pop("1", 0.0)
    scores = {int(digits): probability for digits, probability in mass.items()}
    total = one_or_ten + sum(scores.values())
    if total <= 0:
        raise MalformedAnswer("no score among the alternatives of the score's token", reply.text)
    if 10 in scores or one_or_ten == 0:
        scores[1] = one_or_ten
    elif reply.tokens[index].text.strip().strip('"') == "1":
        # The judge wrote "1" and went on: what it went on with is known.
        ten = _mass_of_zero(reply.tokens, index + 1)
        scores[1], scores[10] = one_or_ten * (1 - ten), one_or_ten * ten
    elif one_or_ten / total > _AMBIGUOUS:
        raise MalformedAnswer("its logprobs do not tell the scores 1 and 10 apart", reply.text)
    return math.fsum(score * probability for score, probability in scores.items()) / math.fsum(scores.values())


def _score_token(text: str, tokens: Sequence[Token]) -> int | None:
    """Index of the token in which the last ``"score":`` gets its first digit."""
    starts = [match.end() for match in _SCORE.finditer(text)]
    if not starts or "".join(token.text for token in tokens) != text:
        return None
    end = 0
    for index, token in enumerate(tokens):
        end += len(token.text)
        if end > starts[-1]:
            return index
    return None


def _mass_by_digits(token: Token) -> dict[str, float]:
    mass: dict[str, float] = {}
    for text, logprob in token.alternatives.items():
        digits = text.strip().strip('"')
        if digits.isascii() and digits.isdecimal() and str(int(digits)) == digits and int(digits) <= HIGHEST:
            mass[digits] = mass.get(digits, 0.0) + math.exp(logprob)
    return mass


def _mass_of_zero(tokens: Sequence[Token], index: int) -> float:
    if index >= len(tokens):
        return 0.0
    alternatives = tokens[index].alternatives
    total = math.fsum(math.exp(logprob) for logprob in alternatives.values())
    zero = math.fsum(math.exp(logprob) for text, logprob in alternatives.items() if text.startswith("0"))
    return zero / total if total > 0 else 0.0
