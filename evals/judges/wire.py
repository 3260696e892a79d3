"""What the answers of chat servers have in common, and how to read it without trust."""

from __future__ import annotations

import re
from typing import Any

from evals.judges.base import JudgeFailure, Token
from evals.judges.transport import Response

__all__ = ["TOP_LOGPROBS", "UNSUPPORTED", "check_model", "same_model", "tokens_of", "whole_number"]

TOP_LOGPROBS = 20
"""The most that OpenAI, vLLM and Ollama give."""
UNSUPPORTED = {400, 405, 415, 422, 500, 501}
"""What servers answer to a form of request that they do not know."""


def check_model(asked: str, response: Response, server: str) -> None:
    """Raise JudgeFailure if another model answered than was asked for."""
    served = response.body.get("model")
    if isinstance(served, str) and served and not same_model(asked, served):
        failure = JudgeFailure(
            f'{server} answered with model "{served}" where "{asked}" was asked; '
            f"if that is right, pass --judge-served-model {served}"
        )
        failure.requests = response.requests
        raise failure


def whole_number(value: Any) -> int | None:
    """A server's count, or None for anything that is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def tokens_of(content: Any) -> tuple[Token, ...] | None:
    """Tokens with their alternatives, from OpenAI's form, which Ollama shares; None where there are none."""
    if not isinstance(content, list) or not content or not any(entry.get("top_logprobs") for entry in content):
        return None
    return tuple(
        Token(
            entry["token"],
            {entry["token"]: float(entry["logprob"])}
            | {other["token"]: float(other["logprob"]) for other in entry.get("top_logprobs") or ()},
        )
        for entry in content
    )


def same_model(asked: str, served: str) -> bool:
    """Whether ``served`` is ``asked``: a provider's prefix, a dated snapshot or a tag apart.

    ``gpt-4o-2024-08-06`` is ``gpt-4o``; ``gpt-4o-mini`` is not.
    """
    asked, served = (name.casefold().rstrip("/").rpartition("/")[2] for name in (asked, served))
    rest = served.removeprefix(asked)
    return served == asked or (rest != served and re.fullmatch(r"[-@:](\d[\d.-]*|latest|main|v\d+)", rest) is not None)
