"""What every kind of judge offers, and what counts as an answer."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Answer", "Judge", "Judgement", "MalformedAnswer", "parse_answer"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """One question to a judge: the pair that CategoryPrecision looks at."""

    actual: str
    expected: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A valid answer: an integer from 0 to 10, a reason, and the raw text it was read from."""

    score: int
    reason: str
    raw: str


class Judge(Protocol):
    """Something that answers GEval's prompt."""

    spec: str
    """The string that names it."""
    model: str
    """The model behind it, as its server or author calls it."""
    is_llm: bool
    identity: dict[str, Any]
    """All that can change its verdicts, for the verdict store."""

    async def answer(self, prompt: str, judgement: Judgement) -> str:
        """The raw answer to ``prompt``, which GEval built for ``judgement``.

        May raise anything: the sample is then unscored.
        """
        ...


class MalformedAnswer(Exception):
    """The judge answered, but not with a verdict. Carries the raw answer."""

    def __init__(self, problem: str, raw: str) -> None:
        super().__init__(problem)
        self.raw = raw


_THINKING = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_FENCE = re.compile(r"\A```(?:json)?\s*\n(.*)\n\s*```\Z", re.DOTALL)


def parse_answer(raw: str, *, lowest: int = 0, highest: int = 10) -> Answer:
    """Read a verdict, strictly: GEval itself would take 15, NaN or a missing reason.

    Exactly one JSON object, alone or in one code fence, after an optional
    ``<think>`` block. An integer may be spelled ``8``, ``8.0`` or ``"8"``.
    Raises MalformedAnswer for all else.
    """
    text = _THINKING.sub("", raw).strip()
    if fenced := _FENCE.match(text):
        text = fenced[1]
    try:
        value = json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except ValueError as error:
        raise MalformedAnswer(f"not one JSON object: {error}", raw) from error
    if not isinstance(value, dict):
        raise MalformedAnswer(f"a JSON {type(value).__name__} instead of an object", raw)
    reason = value.get("reason")
    if not isinstance(reason, str) or not reason.strip():
        raise MalformedAnswer("no reason", raw)
    score = _integer(value.get("score"))
    if score is None or not lowest <= score <= highest:
        raise MalformedAnswer(f"score {value.get('score')!r} is no integer from {lowest} to {highest}", raw)
    return Answer(score, reason, raw)


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
