"""Judges behind an OpenAI-compatible server: OpenAI itself, vLLM, llama.cpp, LiteLLM, Ollama's /v1, ...

Servers differ in how, and whether, they hold a model to a schema. Some reject
what they do not know, some ignore it in silence. So the first question goes
down a ladder, with a property in the schema that no prompt mentions: only a
server that enforces the schema can answer with it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import SecretStr

from evals.judges.base import Capabilities, JudgeFailure, Question, Reply
from evals.judges.canary import enforced, with_canary
from evals.judges.concessions import Concessions
from evals.judges.specs import check_url
from evals.judges.transport import Rejected, Response, Transport
from evals.judges.wire import TOP_LOGPROBS, UNSUPPORTED, check_model, same_model, tokens_of, whole_number
from evals.settings import JudgeSettings
from fixtures.contracts.errors import UserError

__all__ = ["LADDER", "ChatJudge", "default_openai_url"]

_TOOL = "give_verdict"


@dataclass(frozen=True, slots=True)
class Rung:
    """One way to ask for a schema: its name, and what it adds to a request."""

    name: str
    body: Callable[[Mapping[str, Any]], dict[str, Any]]
    enforces: bool = True


LADDER = (
    Rung(
        "JSON schema",
        lambda schema: {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "verdict", "strict": True, "schema": schema},
            }
        },
    ),
    # llama-cpp-python's server answers 500 to the form above and knows this one.
    Rung("JSON object with schema", lambda schema: {"response_format": {"type": "json_object", "schema": schema}}),
    Rung(
        "tool call",
        lambda schema: {
            "tools": [{"type": "function", "function": {"name": _TOOL, "strict": True, "parameters": schema}}],
            "tool_choice": {"type": "function", "function": {"name": _TOOL}},
        },
    ),
    Rung("JSON mode", lambda schema: {"response_format": {"type": "json_object"}}, enforces=False),
    Rung("prompt alone", lambda schema: {}, enforces=False),
)


def default_openai_url() -> str:
    """Where ``OPENAI_BASE_URL`` says, else OpenAI itself. Raises UserError if it says no URL, or a secret."""
    url = os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
    check_url(url, "OPENAI_BASE_URL", "the key goes by itself, in OPENAI_API_KEY")
    if not url.startswith(("http://", "https://")):
        raise UserError("OPENAI_BASE_URL: this is no URL: it begins with http:// or https://")
    return url


class ChatJudge:
    """A model behind ``/chat/completions``."""

    is_llm = True

    def __init__(
        self, spec: str, kind: str, model: str, url: str, key: SecretStr | None, settings: JudgeSettings
    ) -> None:
        self.spec = spec
        self.model = model
        self.identity: Mapping[str, Any] = {
            "kind": kind,
            "model": model,
            "revision": settings.judge_revision,
            "temperature": settings.judge_temperature,
            "max_tokens": settings.judge_max_tokens,
        }
        self._served = settings.judge_served_model
        self._parameters: dict[str, Any] = {
            # OpenAI's newer models refuse the old name, most other servers know only that.
            "max_completion_tokens" if kind == "openai" else "max_tokens": settings.judge_max_tokens,
            "temperature": settings.judge_temperature,
        }
        self._concessions = Concessions()
        self._rung = LADDER[0]
        self.transport = Transport(
            url,
            key,
            concurrency=settings.judge_concurrency,
            timeout=settings.judge_timeout,
            retries=settings.judge_retries,
        )
        self.concurrency = self.transport.concurrency

    async def close(self) -> None:
        """Close the connections."""
        await self.transport.close()

    async def answer(self, question: Question) -> Reply:
        """The model's answer, on the rung that `examine` found."""
        response = await self.transport.post("/chat/completions", self._body(question))
        return self._read(response)

    async def examine(self, question: Question) -> tuple[Reply, Capabilities]:
        """Answer, one rung after the other, until one is enforced or none is left."""
        notes = []
        requests = tokens_in = tokens_out = 0
        question = with_canary(question)
        for self._rung in LADDER:
            try:
                response = await self._ask_without_refused(question)
                reply = self._read(response)
            except Rejected as error:
                requests += error.requests
                if error.status not in UNSUPPORTED or self._rung is LADDER[-1]:
                    raise
                notes.append(f"{self._rung.name}: refused ({error.status})")
                continue
            requests += reply.requests
            tokens_in += reply.tokens_in or 0
            tokens_out += reply.tokens_out or 0
            # JSON mode cannot show itself, and does no harm where it is ignored.
            if enforced(reply.text) or not self._rung.enforces:
                break
            notes.append(f"{self._rung.name}: accepted, but ignored")
        notes += [f"the server refuses {name}; asked without it" for name in sorted(self._concessions.refused)]
        held = self._rung.name if self._rung.enforces else None
        if held is None:
            notes.append(f"answers are not held to a schema ({self._rung.name}), only checked")
        notes += await self._unlisted()
        if reply.tokens_in is not None:
            reply = replace(reply, tokens_in=tokens_in, tokens_out=tokens_out)
        reply = replace(reply, requests=requests)
        return reply, Capabilities(reply.model, held, reply.tokens is not None, tuple(notes))

    async def _unlisted(self) -> list[str]:
        """A note if the server lists other models only: some answer under any name with the one they have."""
        models = (await self.transport.get("/models") or {}).get("data")
        listed = (
            [str(entry.get("id")) for entry in models if isinstance(entry, dict)] if isinstance(models, list) else []
        )
        if not listed or any(same_model(self.model, name) or name == self.model for name in listed):
            return []
        return [f"the server does not list {self.model}, but {', '.join(listed[:3])}: is it that model that answers?"]

    async def _ask_without_refused(self, question: Question) -> Response:
        """Ask; drop what the server says it does not support, and ask again."""
        requests = 0
        while True:
            body = self._body(question)
            try:
                response = await self.transport.post("/chat/completions", body, first=True)
                return Response(response.body, requests + response.requests, response.seconds)
            except Rejected as error:
                requests += error.requests
                error.requests = requests
                if not self._concessions.made_for(error, body):
                    raise

    def _body(self, question: Question) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model,
            "messages": question.messages(),
            "stream": False,
            **self._parameters,
            "seed": question.seed,
            **self._rung.body(dict(question.schema)),
        }
        if question.logprobs:
            body |= {"logprobs": True, "top_logprobs": TOP_LOGPROBS}
        return self._concessions.applied(body)

    def _read(self, response: Response) -> Reply:
        body = response.body
        check_model(self._served or self.model, response, self.transport.server)
        try:
            choice = body["choices"][0]
            message = choice["message"]
            text = message.get("content") or message.get("refusal") or ""
            for call in message.get("tool_calls") or ():
                text = call["function"]["arguments"]
            usage = body.get("usage") or {}
            tokens = tokens_of((choice.get("logprobs") or {}).get("content"))
            if not isinstance(text, str):
                raise TypeError(f"content is a {type(text).__name__}")
            return Reply(
                text,
                whole_number(usage.get("prompt_tokens")),
                whole_number(usage.get("completion_tokens")),
                tokens,
                response.requests,
                response.seconds,
                cut=choice.get("finish_reason") == "length",
                model=str(body.get("model") or self.model),
            )
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            failure = JudgeFailure(f"{self.transport.server}: this is no chat completion: {error!r}")
            failure.requests = response.requests
            raise failure from error
