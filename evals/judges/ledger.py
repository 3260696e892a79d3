"""What the judges cost so far, and whether there is more to spend."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from evals.judges.base import Reply

__all__ = ["Ledger", "OutOfBudget", "Usage", "estimated_tokens"]

_MARGIN = 1.25
_BYTES_PER_TOKEN = 4
"""About right for English; only where a server does not tell."""


class Usage(BaseModel):
    """What one run asked of its judges. Durations in seconds, money in the currency of the prices."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    calls: int = Field(0, description="questions put to the judges for verdicts, those about bad answers included")
    preflight_calls: int = Field(0, description="requests of the preflight")
    retries: int = Field(0, description="requests repeated because the server or the network failed")
    bad_answers: int = Field(0, description="answers that were no verdict")
    cache_hits: int = Field(0, description="verdicts found in the store")
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_estimated: bool = Field(False, description="a server did not tell its tokens: counted by length")
    cost: float | None = Field(None, description="by the given prices; null without them")
    latency_median: float | None = None
    latency_p95: float | None = None


class OutOfBudget(Exception):
    """``--max-calls`` or ``--max-cost`` allows no further question."""


class Ledger:
    """Counts calls, tokens and money, and refuses what would exceed a limit.

    A question is taken to cost a quarter more than the dearest one so far.
    """

    def __init__(
        self, *, price_in: float, price_out: float, max_calls: int | None = None, max_cost: float | None = None
    ) -> None:
        self._price_in, self._price_out = price_in / 1e6, price_out / 1e6
        self._max_calls, self._max_cost = max_calls, max_cost
        self._in_flight = 0
        self._dearest = 0.0
        self._latencies: list[float] = []
        self._tokens_in = self._tokens_out = 0
        self._estimated = False
        self.calls = self.preflight_calls = self.retries = 0
        self.bad_answers = 0
        self.cache_hits = 0

    def reserve(self, prompt: str) -> None:
        """Announce a question. Raises OutOfBudget."""
        if self._max_calls is not None and self.calls + self.preflight_calls + self._in_flight >= self._max_calls:
            raise OutOfBudget(f"--max-calls {self._max_calls} is reached")
        self._dearest = max(self._dearest, estimated_tokens(prompt) * self._price_in)
        if self._max_cost is not None and self.cost + (self._in_flight + 1) * _MARGIN * self._dearest > self._max_cost:
            raise OutOfBudget(f"--max-cost {self._max_cost:g} would be exceeded, {self.cost:.4g} are spent")
        self._in_flight += 1

    def settle(self, prompt: str, reply: Reply | None, *, requests: int, preflight: bool = False) -> None:
        """Record what became of a reserved question; ``reply`` is None if nothing came of it."""
        self._in_flight -= 1
        if preflight:
            self.preflight_calls += requests
        else:
            self.calls += 1
            self.retries += requests - 1
        if reply is None:
            return
        self._estimated |= reply.tokens_in is None or reply.tokens_out is None
        tokens_in = estimated_tokens(prompt) if reply.tokens_in is None else reply.tokens_in
        tokens_out = estimated_tokens(reply.text) if reply.tokens_out is None else reply.tokens_out
        self._tokens_in += tokens_in
        self._tokens_out += tokens_out
        # A preflight's tokens are those of all its requests.
        cost = tokens_in * self._price_in + tokens_out * self._price_out
        self._dearest = max(self._dearest, cost / requests if preflight else cost)
        self._latencies.append(reply.seconds)

    @property
    def cost(self) -> float:
        """Money spent so far; 0 without prices."""
        return self._tokens_in * self._price_in + self._tokens_out * self._price_out

    def usage(self) -> Usage:
        """Everything so far."""
        priced = self._price_in > 0 or self._price_out > 0
        quantiles = np.quantile(self._latencies, [0.5, 0.95]).tolist() if self._latencies else [None, None]
        return Usage(
            calls=self.calls,
            preflight_calls=self.preflight_calls,
            retries=self.retries,
            bad_answers=self.bad_answers,
            cache_hits=self.cache_hits,
            tokens_in=self._tokens_in,
            tokens_out=self._tokens_out,
            tokens_estimated=self._estimated,
            cost=self.cost if priced else None,
            latency_median=quantiles[0],
            latency_p95=quantiles[1],
        )


def estimated_tokens(text: str) -> int:
    """Tokens of ``text`` by its length, where nobody tells."""
    return -(-len(text.encode("utf-8", "replace")) // _BYTES_PER_TOKEN)
