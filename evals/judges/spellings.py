"""How probable each score was, however the tokenizer spells it.

A tokenizer may have "10" as one token or as two, digits with a blank before
them and without, and bytes beside characters. The probability of a score is
the sum over its spellings: the model's probability of the first token, times
those of the others among the tokens that may follow. So the scores have the
proportions in which constrained sampling at temperature 1 would draw them.
Nothing has to be guessed, because the model is at hand.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from evals.judges.base import Token
from evals.judges.constrained import Grammar, Row

__all__ = ["answer_tokens"]

NextLogits = Callable[[Sequence[int]], torch.Tensor]

_SCORE = re.compile(r'"score": (?=[0-9])')
_NUMBER = re.compile(r"[^0-9]*([0-9]+)([^0-9])?")
_NEGLIGIBLE = math.log(1e-7)
"""A beginning with a smaller share of the probability is not followed: it cannot move a mean by a millionth."""


def answer_tokens(grammar: Grammar, schema: Mapping[str, Any], row: Row, next_logits: NextLogits) -> tuple[Token, ...]:
    """The tokens of an answer with their alternatives; for the score's, all scores by their digits.

    ``next_logits`` gives the model's logits after some tokens of an answer.
    """
    pieces = grammar.pieces(row.tokens)
    tokens = [
        Token(piece, _by_text(grammar, step, token, piece))
        for piece, step, token in zip(pieces, row.steps, row.tokens, strict=True)
    ]
    found = list(_SCORE.finditer("".join(pieces)))
    if found:
        ends = np.cumsum([len(piece) for piece in pieces])
        index = int(np.searchsorted(ends, found[-1].end(), side="right"))
        tokens[index] = Token(pieces[index], _scores(grammar, schema, row, index, next_logits))
    return tuple(tokens)


def _by_text(grammar: Grammar, step: Mapping[int, float], token: int, piece: str) -> dict[str, float]:
    """Alternatives by text; two tokens of one text (a byte and a character) count together."""
    alternatives: dict[str, float] = {}
    for other, logprob in step.items():
        # A token that ends within a character has the text it was given in its answer.
        text = piece if other == token else grammar.spelled([other])
        alternatives[text] = float(np.logaddexp(alternatives.get(text, -np.inf), logprob))
    return alternatives


def _scores(
    grammar: Grammar, schema: Mapping[str, Any], row: Row, index: int, next_logits: NextLogits
) -> dict[str, float]:
    """Logarithm of each score's probability after ``index`` tokens of the answer, by its digits."""
    before = row.tokens[:index]
    matcher = grammar.start(schema)
    matcher.consume_tokens(before)
    scores: dict[str, float] = {}
    total = _total(row.steps[index])
    beginnings: list[tuple[list[int], float]] = [([], 0.0)]
    while beginnings:
        path, so_far = beginnings.pop()
        for token, logprob in _next_logprobs(grammar, matcher, row, index, path, next_logits).items():
            longer, joint = [*path, token], so_far + logprob
            number = _NUMBER.match(grammar.spelled(longer))
            if joint - total > _NEGLIGIBLE and not (number and (number[2] or not _grows(grammar, matcher, longer))):
                beginnings.append((longer, joint))
            elif number:
                scores[number[1]] = float(np.logaddexp(scores.get(number[1], -np.inf), joint))
    return scores


def _grows(grammar: Grammar, matcher: Any, path: Sequence[int]) -> bool:
    """Whether another digit may follow."""
    matcher.consume_tokens(path)
    grows = any(grammar.spelled([int(token)])[:1].isdecimal() for token in grammar.allowed(matcher))
    matcher.rollback(len(path))
    return grows


def _next_logprobs(
    grammar: Grammar, matcher: Any, row: Row, index: int, path: Sequence[int], next_logits: NextLogits
) -> dict[int, float]:
    """Logarithms of probability of what may follow ``path``: of the model, and after the first token of these only."""
    end = index + len(path)
    if row.tokens[index:end] == path and end < len(row.steps):
        step = row.steps[end]  # The answer itself went this way.
    else:
        matcher.consume_tokens(path)
        allowed = grammar.allowed(matcher)
        matcher.rollback(len(path))
        logprobs = torch.log_softmax(next_logits([*row.tokens[:index], *path]).double(), dim=-1)
        step = dict(zip(allowed.tolist(), logprobs[torch.from_numpy(allowed)].tolist(), strict=True))
    if not path:
        return step
    total = _total(step)
    return {token: logprob - total for token, logprob in step.items()}


def _total(step: Mapping[int, float]) -> float:
    return float(np.logaddexp.reduce(list(step.values())))
