"""What every kind of judge offers: it answers a question with a text.

A judge knows nothing of scores. What counts as an answer, and how often a bad
one is asked again, is decided in one place for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

__all__ = [
    "CATEGORY_PRECISION",
    "CORRECTNESS",
    "Capabilities",
    "Judge",
    "JudgeFailure",
    "JudgeUnavailable",
    "Judgement",
    "Question",
    "Reply",
    "Token",
]


CATEGORY_PRECISION = "CategoryPrecision"
"""The metric of the news samples."""
CORRECTNESS = "correctness"
"""The metric of a chat model's answers where none is named."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a verdict is about: an answer, what was expected, and ``metric``, the name of what is asked of them.

    ``input`` is what was answered, for metrics that look at it: all samples with
    one pair share a verdict that does not depend on it.
    """

    actual: str
    expected: str
    input: str = ""
    metric: str = CATEGORY_PRECISION


@dataclass(frozen=True, slots=True)
class Question:
    """One question to a judge: GEval's prompt, what it is about, and how to answer."""

    prompt: str
    judgement: Judgement
    schema: Mapping[str, Any]
    """JSON Schema of the answer, sent where the judge can be held to it."""
    seed: int = 0
    """Of sampling; another one for each repeat."""
    logprobs: bool = False
    """Whether the reply must tell the probabilities of its tokens."""
    corrections: tuple[tuple[str, str], ...] = ()
    """Earlier answers to this question with what was wrong with each."""

    def corrected(self, answer: str, problem: str) -> Question:
        """The same question, asked again after a bad ``answer``."""
        return replace(self, corrections=(*self.corrections, (answer, problem)))

    def messages(self) -> list[dict[str, str]]:
        """The conversation as chat models take it."""
        messages = [{"role": "user", "content": self.prompt}]
        for answer, problem in self.corrections:
            messages += [
                # A judge that rambled for pages need not read all of it again.
                {"role": "assistant", "content": answer[:2000]},
                {"role": "user", "content": _CORRECTION.format(problem=problem)},
            ]
        return messages

    def text(self) -> str:
        """The conversation as one text, for models that take nothing else."""
        return "\n\n".join(message["content"] for message in self.messages())


_CORRECTION = (
    "That answer cannot be used: {problem}. Answer again with nothing but one JSON object that has "
    '"reason", a string, and "score", an integer from 0 to 10.'
)


@dataclass(frozen=True, slots=True)
class Token:
    """A token of an answer with its most probable alternatives, itself among them.

    ``alternatives`` are natural logarithms of probabilities by token text.
    """

    text: str
    alternatives: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Reply:
    """A judge's answer as it came, with what it cost where the judge tells."""

    text: str
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens: tuple[Token, ...] | None = None
    """Every token of ``text`` in order, if the judge gives logprobs."""
    requests: int = 1
    """Requests it took, repetitions after failures included."""
    seconds: float = 0.0
    """Of the request that was answered."""
    cut: bool = False
    """Whether the limit of tokens ended it."""
    model: str = ""
    """The model that answered, as its server calls it."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a judge was seen to do when it was asked one known question."""

    model: str
    """The model that answered, as it calls itself."""
    schema: str | None
    """How it is held to the schema; None: it is not."""
    logprobs: bool
    notes: tuple[str, ...] = ()


class JudgeFailure(Exception):
    """No answer to this question, for a reason that later ones may not meet."""

    requests = 1
    """Requests made for it."""


class JudgeUnavailable(JudgeFailure):
    """No answer to any question: wrong key, no such model, no such server."""


class Judge(Protocol):
    """Something that answers GEval's prompt.

    All coroutines of one judge run in one event loop.
    """

    spec: str
    """The string that names it."""
    model: str
    """The model behind it, as its user calls it."""
    is_llm: bool
    identity: Mapping[str, Any]
    """All that can change its verdicts, for the verdict store; JSON."""
    concurrency: int
    """Questions it can have at once; it may hold some of them back."""

    async def examine(self, question: Question) -> tuple[Reply, Capabilities]:
        """Answer ``question``, and find out by the way what this judge can do.

        Raises JudgeFailure.
        """
        ...

    async def answer(self, question: Question) -> Reply:
        """The raw answer. Raises JudgeFailure."""
        ...

    async def close(self) -> None:
        """Let go of connections and memory."""
        ...
