"""What chat servers are sent and answer: OpenAI's form, and Ollama's."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any, Protocol

from evals.candidates.base import Answered
from evals.candidates.settings import CandidateSettings
from evals.judges.base import JudgeFailure
from evals.judges.transport import Response
from evals.judges.wire import whole_number
from fixtures.contracts.files import encodable
from fixtures.conversations.rows import ChatRow

__all__ = ["Dialect", "Ollama", "OpenAI"]

_BYTES_PER_TOKEN = 3
"""Fewer than English has: rather too long a context than a cut prompt."""
_TURN_KEYS = ("role", "content", "name", "tool_calls", "tool_call_id")


class Dialect(Protocol):
    """One form of request and answer."""

    path: str

    def body(self, row: ChatRow, seed: int) -> dict[str, Any]:
        """The request that asks ``row``."""
        ...

    def read(self, response: Response) -> Answered:
        """The answer. Raises JudgeFailure if there is none."""
        ...


class OpenAI:
    """``/chat/completions``."""

    path = "/chat/completions"

    def __init__(self, kind: str, model: str, settings: CandidateSettings) -> None:
        self._fixed: dict[str, Any] = {
            "model": model,
            "stream": False,
            # OpenAI's newer models refuse the old name, most other servers know only that.
            "max_completion_tokens" if kind == "openai" else "max_tokens": settings.max_new_tokens,
            "temperature": settings.temperature,
        }

    def body(self, row: ChatRow, seed: int) -> dict[str, Any]:
        """The request that asks ``row``."""
        body = self._fixed | {"messages": [_openai_turn(turn) for turn in row.messages], "seed": seed}
        return body | ({"tools": list(row.tools)} if row.tools else {})

    def read(self, response: Response) -> Answered:
        """The answer; what the model refuses to say is its answer, too."""
        try:
            choice = response.body["choices"][0]
            message = choice["message"]
            usage = response.body.get("usage") or {}
            return _answered(
                message.get("content") or message.get("refusal") or message.get("content"),
                message.get("tool_calls"),
                choice.get("finish_reason"),
                usage.get("prompt_tokens"),
                usage.get("completion_tokens"),
                response.seconds,
            )
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise JudgeFailure(f"this is no chat completion: {error!r}") from error


class Ollama:
    """``/api/chat``: unlike Ollama's ``/v1`` it can be given a context that holds the whole prompt."""

    path = "/api/chat"

    def __init__(self, model: str, settings: CandidateSettings) -> None:
        self._model = model
        self._settings = settings

    def body(self, row: ChatRow, seed: int) -> dict[str, Any]:
        """The request that asks ``row``."""
        settings = self._settings
        asked = json.dumps([row.messages, row.tools], ensure_ascii=False)
        length = len(asked.encode()) // _BYTES_PER_TOKEN + settings.max_new_tokens
        options: dict[str, Any] = {
            "temperature": settings.temperature,
            "seed": seed,
            "num_predict": settings.max_new_tokens,
            # By powers of two: Ollama loads the model anew for each other length.
            "num_ctx": max(4096, 1 << (length - 1).bit_length()),
        }
        body = {"model": self._model, "messages": list(row.messages), "stream": False, "options": options}
        return body | ({"tools": list(row.tools)} if row.tools else {})

    def read(self, response: Response) -> Answered:
        """The answer."""
        body = response.body
        message = body.get("message")
        if not isinstance(message, dict):
            raise JudgeFailure(f"this is no answer of Ollama's chat: {', '.join(sorted(body))[:200]}")
        counts = body.get("prompt_eval_count"), body.get("eval_count")
        return _answered(
            message.get("content"), message.get("tool_calls"), body.get("done_reason"), *counts, response.seconds
        )


def _answered(said: Any, calls: Any, reason: Any, tokens_in: Any, tokens_out: Any, seconds: float) -> Answered:
    """Raises JudgeFailure where nothing was said because something else ended it."""
    if not said and calls:
        said = json.dumps([_function(call["function"]) for call in calls], ensure_ascii=False)
    if not said and reason == "length":
        raise JudgeFailure("it reached --max-new-tokens before it said anything (a long thought?)")
    if not isinstance(said, str) or (not said and reason not in ("stop", None)):
        raise JudgeFailure(f"it answered without content (finish reason {reason})")
    return Answered(
        encodable(said),
        reason if isinstance(reason, str) else None,
        whole_number(tokens_in),
        whole_number(tokens_out),
        round(seconds, 3),
    )


def _function(function: Mapping[str, Any]) -> dict[str, Any]:
    """A call as conversations have it: arguments are objects, not JSON in a string."""
    arguments = function.get("arguments", {})
    if isinstance(arguments, str):
        # What a model wrote there need not be JSON; it is its answer all the same.
        with contextlib.suppress(ValueError):
            arguments = json.loads(arguments or "{}")
    return {"name": function.get("name"), "arguments": arguments}


def _openai_turn(turn: Mapping[str, Any]) -> dict[str, Any]:
    """A turn as OpenAI's API wants it: no keys of others' (``weight``), and arguments are JSON in a string."""
    said = {key: turn[key] for key in _TURN_KEYS if key in turn}
    if turn.get("tool_calls"):
        said["tool_calls"] = [
            {**call, "function": {**call["function"], "arguments": json.dumps(call["function"].get("arguments", {}))}}
            for call in turn["tool_calls"]
        ]
    return said
