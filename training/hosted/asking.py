"""One question of a data file, put to a hosted model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ConfigDict

from fixtures.conversations.rows import ChatRow
from training.hosted.api import ServiceFailed, explained, whole
from training.hosted.settings import RecordSettings

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types.chat import ChatCompletion, ChatCompletionMessage

__all__ = ["Answer", "ask", "parameters"]

_KEYS = ("role", "content", "name", "tool_calls", "tool_call_id")
"""What the API takes of a turn; ``weight``, for one, is refused."""


class Answer(BaseModel):
    """An answer, and what came with it. ``digest`` is that of the row: a question and its reference."""

    model_config = ConfigDict(frozen=True)

    id: str
    digest: str
    answer: str
    finish_reason: str
    model: str
    fingerprint: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    at: str


def parameters(settings: RecordSettings) -> dict[str, Any]:
    """The sampling parameters that are sent."""
    limit = {} if settings.max_tokens is None else {"max_completion_tokens": settings.max_tokens}
    return {"temperature": settings.temperature, "seed": settings.seed, **limit}


async def ask(api: AsyncOpenAI, row: ChatRow, settings: RecordSettings, place: str) -> Answer:
    """The model's answer to ``row``. ``place`` is where the row stands, for messages.

    What a content filter stops is answered with nothing: that is what a user of
    the model would get. Tool calls are answered as references have them, as JSON.
    """
    from openai import BadRequestError
    from openai.types.chat import ChatCompletion

    request: dict[str, Any] = {"model": settings.model, "messages": _turns(row.messages), **parameters(settings)}
    if row.tools:
        request["tools"] = list(row.tools)
    with explained(place):
        try:
            # Checked by the service: what a data file holds is no TypedDict.
            reply = whole(await cast(Any, api.chat.completions).create(**request), ChatCompletion)
        except BadRequestError as error:
            if error.code != "content_filter":
                raise
            return Answer(
                id=row.id, digest=row.digest, answer="", finish_reason="content_filter", model=settings.model, at=_now()
            )
    if not reply.choices:
        raise ServiceFailed(f"{place}: the service answered without any choice")
    return _answer(row, reply)


def _answer(row: ChatRow, reply: ChatCompletion) -> Answer:
    choice, usage = reply.choices[0], reply.usage
    return Answer(
        id=row.id,
        digest=row.digest,
        answer=_text(choice.message),
        finish_reason=choice.finish_reason if not choice.message.refusal else "refusal",
        model=reply.model,
        fingerprint=reply.system_fingerprint,
        tokens_in=usage.prompt_tokens if usage else None,
        tokens_out=usage.completion_tokens if usage else None,
        at=_now(),
    )


def _text(message: ChatCompletionMessage) -> str:
    if message.content or not message.tool_calls:
        return message.content or message.refusal or ""
    calls = []
    for call in message.tool_calls:
        function = call.function if call.type == "function" else None
        if function is not None:
            calls.append({"name": function.name, "arguments": _parsed(function.arguments)})
    return json.dumps(calls, ensure_ascii=False)


def _parsed(arguments: str) -> Any:
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        # A model may write arguments that are no JSON; that is its answer.
        return arguments


def _turns(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Turns as the API wants them: arguments as text, and ids for calls and their answers."""
    turns, waiting, count = [], [], 0
    for message in messages:
        turn = {key: message[key] for key in _KEYS if key in message}
        if calls := turn.get("tool_calls"):
            turn["tool_calls"] = []
            for call in calls:
                count += 1
                name = call.get("id") or f"call_{count}"
                function = call["function"]
                arguments = json.dumps(function.get("arguments", {}), ensure_ascii=False)
                sent = {"name": function["name"], "arguments": arguments}
                turn["tool_calls"].append({"id": name, "type": "function", "function": sent})
                waiting.append(name)
            turn["content"] = turn["content"] or None
        elif turn["role"] == "tool":
            first = waiting.pop(0) if waiting else f"call_{count}"
            turn.setdefault("tool_call_id", first)
        turns.append(turn)
    return turns


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
