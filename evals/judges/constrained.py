"""Decoding held to a JSON schema, row by row of a batch.

llguidance says which tokens may come next; the model's probabilities choose
among them. Two things are added to what it does: a string is closed in time,
so that a model that would ramble for ever still ends within its tokens, and
each row draws from its own generator, so that an answer does not depend on
which others are in the batch.
"""

from __future__ import annotations

import codecs
import json
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from llguidance import LLMatcher
from llguidance.hf import from_tokenizer
from transformers import LogitsProcessor, PreTrainedTokenizerBase, StoppingCriteria

from evals.judges.base import JudgeFailure

__all__ = ["Constraint", "Finished", "Grammar", "Row", "Stopped"]

_RESERVE = 24
"""Tokens kept back to end an answer: `", "score": 10}` byte by byte, and an escape or character left open."""
_FEW = 256
"""So few alternatives are remembered, all of them; the first digit of a score has fewer."""
_VISIBLE = r"^[^\s\x00-\x1f]"


class Stopped(JudgeFailure):
    """Nobody waits for these answers any more."""


class Grammar:
    """JSON schemas as one tokenizer spells them. Raises ValueError when it cannot."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, vocabulary: int) -> None:
        # llguidance needs an end-of-text token; answers end with their JSON. Where there is none, the last
        # token of the vocabulary, its rarest merge, is given up.
        end = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else len(tokenizer) - 1
        self._tokens = from_tokenizer(tokenizer, n_vocab=max(vocabulary, len(tokenizer)), eos_token=end)
        self._vocabulary = vocabulary
        missing = [char for char in '{}":, 0123456789' if self.spelled(self._tokens.greedy_tokenize(char)) != char]
        if missing:
            raise ValueError(f"its tokenizer cannot spell {' '.join(missing)}, so it cannot write JSON")
        (self.quote,) = self._tokens.greedy_tokenize('"')
        self._starts: dict[str, LLMatcher] = {}

    def start(self, schema: Mapping[str, Any]) -> LLMatcher:
        """A matcher for answers that obey ``schema``, laid out as `json.dumps` does. Raises JudgeFailure."""
        key = json.dumps(schema, sort_keys=True, default=dict)
        if key not in self._starts:
            bounded: dict[str, Any] = json.loads(json.dumps(schema, default=dict))
            for entry in bounded.get("properties", {}).values():
                # A tiny model may answer nothing but blanks, which is no reason.
                if entry.get("type") == "string" and "enum" not in entry:
                    entry.setdefault("pattern", _VISIBLE)
            # Blanks between the parts could go on for ever.
            grammar = LLMatcher.grammar_from_json_schema(
                bounded,
                overrides={"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "},
            )
            matcher = LLMatcher(self._tokens, grammar, log_level=0)
            if matcher.is_error():
                raise JudgeFailure(f"llguidance cannot enforce the schema: {matcher.get_error().splitlines()[0]}")
            self._starts[key] = matcher
        return self._starts[key].deep_copy()

    def allowed(self, matcher: LLMatcher) -> np.ndarray:
        """The tokens that may come next, as a sorted array."""
        bits = np.unpackbits(np.frombuffer(matcher.compute_bitmask(), np.uint8), bitorder="little")
        return np.flatnonzero(bits[: self._vocabulary])

    def pieces(self, tokens: Sequence[int]) -> list[str]:
        """The text of each token; together they are the text, whatever bytes a token ends with."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        texts = [decoder.decode(self._tokens.decode_bytes([token])) for token in tokens]
        rest = decoder.decode(b"", final=True)
        return [*texts[:-1], texts[-1] + rest] if texts else []

    def spelled(self, tokens: Sequence[int]) -> str:
        """The text of all ``tokens``."""
        return "".join(self.pieces(tokens))


class Row:
    """One answer in the making.

    ``steps`` has, for each token of ``tokens``, the natural logarithms of the
    model's own probabilities, neither masked nor tempered: of all tokens that
    were allowed where those were few, else of the chosen one.
    """

    def __init__(
        self,
        grammar: Grammar,
        schema: Mapping[str, Any],
        *,
        length: int,
        temperature: float,
        seed: int,
        logprobs: bool,
    ) -> None:
        self.tokens: list[int] = []
        self.steps: list[dict[int, float]] = []
        self.problem = ""
        self._grammar = grammar
        self._matcher = grammar.start(schema)
        self._length = length
        self._temperature = temperature
        self._logprobs = logprobs
        self._generator = torch.Generator().manual_seed(seed % 2**63)

    @property
    def complete(self) -> bool:
        """Whether the answer obeys the schema."""
        return not self.problem and self._matcher.is_accepting()

    @property
    def finished(self) -> bool:
        """Whether no token will be added."""
        return bool(self.problem) or self.complete or len(self.tokens) >= self._length

    def extend(self, logits: torch.Tensor) -> None:
        """Add the token that ``logits`` (vocabulary, on the CPU) and the grammar call for."""
        if not torch.isfinite(logits.max()):
            self.problem = "its logits are not finite: are its weights damaged, or is its type too narrow?"
            return
        allowed = self._grammar.allowed(self._matcher)
        if self._matcher.is_error() or not allowed.size:
            self.problem = f"no token can follow {self._grammar.spelled(self.tokens)!r}"
            return
        token = self._choose(logits, allowed)
        if self._logprobs:
            logprobs = torch.log_softmax(logits.double(), dim=-1)
            kept = [int(other) for other in allowed] if allowed.size <= _FEW else [token]
            self.steps.append(dict(zip(kept, logprobs[kept].tolist(), strict=True)))
        self._matcher.consume_token(token)
        self.tokens.append(token)

    def _choose(self, logits: torch.Tensor, allowed: np.ndarray) -> int:
        if self._length - len(self.tokens) <= _RESERVE and self._matcher.validate_tokens([self._grammar.quote]):
            return int(self._grammar.quote)
        candidates = logits[torch.from_numpy(allowed)].double()
        if not self._temperature:
            return int(allowed[int(candidates.argmax())])
        # torch.multinomial draws a number for each token of the vocabulary: ten times slower.
        cumulated = torch.softmax(candidates / self._temperature, dim=-1).cumsum(dim=-1)
        drawn = torch.rand(1, dtype=torch.float64, generator=self._generator) * cumulated[-1]
        return int(allowed[min(int(torch.searchsorted(cumulated, drawn, right=True)), allowed.size - 1)])


class Constraint(LogitsProcessor):
    """Lets each row choose its token, and leaves `generate` no other.

    First among all processors: it must see the model's logits untouched.
    """

    def __init__(self, rows: Sequence[Row], stop: threading.Event) -> None:
        self._rows = rows
        self._stop = stop

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """``scores`` (rows x vocabulary) with all but one token of each row forbidden."""
        if self._stop.is_set():
            raise Stopped("the judge was closed before it had answered")
        logits = scores.float().cpu()
        forced = torch.full_like(scores, -torch.inf)
        for index, row in enumerate(self._rows):
            if not row.finished:
                row.extend(logits[index])
            # A finished row waits for the others; what it is given meanwhile is thrown away.
            forced[index, row.tokens[-1] if row.tokens else 0] = 0.0
        return forced


class Finished(StoppingCriteria):
    """Ends a row with its JSON, so that no end-of-text token is needed."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        """Which rows are done."""
        return torch.tensor([row.finished for row in self._rows], device=input_ids.device)
