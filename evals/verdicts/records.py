"""What is asked and what is paid for: the two halves of a stored verdict."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evals.judges.base import Judgement
from fixtures.contracts.files import printable

__all__ = ["Asked", "Paid", "Verdict", "canonical", "digest"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judge's verdict on a pair, or why there is none.

    ``score`` lies in 0..1 and is None exactly when ``error`` says why.
    """

    score: float | None
    reason: str
    error: str | None = None
    raw: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """Everything that can change a verdict, and so the verdict's address."""

    judge: Mapping[str, Any] = field(hash=False)
    """The judge's identity; JSON. Its ``kind`` and ``model`` are what people know it by."""
    metric: str
    """Fingerprint of the metric."""
    score_mode: str
    """``raw`` or ``weighted``."""
    judgement: Judgement
    repeat: int = 0
    key: str = field(init=False, repr=False, compare=False)
    """Digest of all the above."""

    def __post_init__(self) -> None:
        content = {
            "judge": dict(self.judge),
            "metric": self.metric,
            "score_mode": self.score_mode,
            "actual": self.judgement.actual,
            "expected": self.judgement.expected,
            "repeat": self.repeat,
        }
        if self.judgement.input:
            # Left out where there is none: the addresses of verdicts from before there were inputs stay as they are.
            content["input"] = self.judgement.input
        object.__setattr__(self, "key", digest(content))

    @property
    def judge_kind(self) -> str:
        """The kind of judge as its identity names it."""
        return str(self.judge.get("kind", ""))

    @property
    def judge_model(self) -> str:
        """The judge's model as its identity names it."""
        return str(self.judge.get("model", ""))


@dataclass(frozen=True, slots=True)
class Paid:
    """A finished judgement: what the judge said and what it cost.

    The judge's texts become printable: they may be anything. Raises ValueError
    for numbers that no judgement has, NaN among them.
    """

    score: float
    reason: str
    raw: str
    tokens_in: int | None
    tokens_out: int | None
    seconds: float
    model: str
    """The model that answered, as it calls itself."""

    def __post_init__(self) -> None:
        for name in ("reason", "raw", "model"):
            object.__setattr__(self, name, printable(getattr(self, name)))
        if not 0 <= self.score <= 1:
            raise ValueError(f"a score lies between 0 and 1, not at {self.score}")
        if not 0 <= self.seconds < float("inf"):
            raise ValueError(f"a judgement cannot take {self.seconds} seconds")
        for tokens in (self.tokens_in, self.tokens_out):
            # SQLite's integers have 64 bits; a server may claim any number.
            if tokens is not None and not 0 <= tokens < 2**63:
                raise ValueError(f"a judgement cannot take {tokens} tokens")


def canonical(value: Any) -> str:
    """The one JSON text of ``value``. Raises ValueError for NaN and infinities."""
    # ASCII escapes also carry lone surrogates, which UTF-8 cannot.
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: Any) -> str:
    """Hex digest of a JSON value."""
    return hashlib.sha256(canonical(value).encode("ascii")).hexdigest()
