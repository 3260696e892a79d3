"""Judges in Ollama, over its own API: ``/api/chat`` holds a model to the schema in ``format``.

Ollama's OpenAI-compatible ``/v1`` works, too (``endpoint:MODEL@http://host:11434/v1``),
but cannot set the length of the context, beyond which Ollama cuts a prompt in silence.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from evals.judges.base import Capabilities, JudgeFailure, JudgeUnavailable, Question, Reply
from evals.judges.canary import enforced, with_canary
from evals.judges.specs import check_url
from evals.judges.transport import Rejected, Response, Transport
from evals.judges.wire import TOP_LOGPROBS, UNSUPPORTED, check_model, tokens_of, whole_number
from evals.settings import JudgeSettings

__all__ = ["OllamaJudge", "default_url"]

_DEFAULT_CONTEXT = 4096
_BYTES_PER_TOKEN = 3
"""Fewer than English has: rather too long a context than a cut prompt."""


def default_url() -> str:
    """Where ``OLLAMA_HOST`` says, as Ollama's own client reads it, else this machine. Raises UserError."""
    host = os.environ.get("OLLAMA_HOST", "").strip().rstrip("/") or "127.0.0.1"
    if "://" not in host:
        host = f"http://{host}"
    check_url(host, "OLLAMA_HOST", "Ollama itself knows neither")
    scheme, _, rest = host.partition("://")
    if rest.startswith("0.0.0.0"):
        # A server's "listen everywhere" is no address for a client.
        rest = rest.replace("0.0.0.0", "127.0.0.1", 1)
    return f"{scheme}://{rest}" if ":" in rest else f"{scheme}://{rest}:11434"


class OllamaJudge:
    """A model that an Ollama server has pulled."""

    is_llm = True

    def __init__(self, spec: str, model: str, url: str, settings: JudgeSettings) -> None:
        self.spec = spec
        self.model = model
        self.identity: Mapping[str, Any] = {
            "kind": "ollama",
            # Ollama takes a name without a tag for its latest.
            "model": model if ":" in model else f"{model}:latest",
            "revision": settings.judge_revision,
            "temperature": settings.judge_temperature,
            "max_tokens": settings.judge_max_tokens,
        }
        self._served = settings.judge_served_model
        self._temperature = settings.judge_temperature
        self._max_tokens = settings.judge_max_tokens
        self._format = _SCHEMA
        self.transport = Transport(
            url,
            None,
            concurrency=settings.judge_concurrency,
            timeout=settings.judge_timeout,
            retries=settings.judge_retries,
        )
        self.concurrency = self.transport.concurrency

    async def close(self) -> None:
        """Close the connections."""
        await self.transport.close()

    async def answer(self, question: Question) -> Reply:
        """The model's answer, in the form that `examine` found."""
        return self._read(await self.transport.post("/api/chat", self._body(question)))

    async def examine(self, question: Question) -> tuple[Reply, Capabilities]:
        """Answer with the schema enforced, else in JSON mode, else by the prompt alone."""
        notes = []
        requests = tokens_in = tokens_out = 0
        question = with_canary(question)
        for self._format in _LADDER:
            try:
                response = await self.transport.post("/api/chat", self._body(question), first=True)
            except JudgeUnavailable as error:
                if "not found" in str(error):
                    raise JudgeUnavailable(f"{error}; `ollama pull {self.model}` fetches it") from error
                raise
            except Rejected as error:
                requests += error.requests
                if error.status not in UNSUPPORTED or self._format is _LADDER[-1]:
                    raise
                notes.append(f"{self._format}: refused ({error.status})")
                continue
            requests += response.requests
            reply = self._read(response)
            tokens_in += reply.tokens_in or 0
            tokens_out += reply.tokens_out or 0
            if enforced(reply.text) or self._format is not _SCHEMA:
                break
            notes.append(f"{self._format}: accepted, but ignored (Ollama before 0.5?)")
        digest = await self._digest()
        if digest:
            notes.append(f"digest {digest[:12]}; --judge-revision {digest[:12]} keeps verdicts of other pulls apart")
        held = self._format if self._format is _SCHEMA else None
        if held is None:
            notes.append(f"answers are not held to a schema ({self._format}), only checked")
        if reply.tokens_in is not None:
            reply = replace(reply, tokens_in=tokens_in, tokens_out=tokens_out)
        reply = replace(reply, requests=requests)
        return reply, Capabilities(reply.model, held, reply.tokens is not None, tuple(notes))

    async def _digest(self) -> str:
        """The digest of the pulled model: a tag like ``latest`` moves."""
        tags = await self.transport.get("/api/tags") or {}
        models = tags.get("models")
        for entry in models if isinstance(models, list) else ():
            if isinstance(entry, dict) and entry.get("name") == self.identity["model"]:
                return str(entry.get("digest", ""))
        return ""

    def _body(self, question: Question) -> dict[str, Any]:
        messages = question.messages()
        length = sum(len(message["content"].encode()) for message in messages) // _BYTES_PER_TOKEN + self._max_tokens
        options: dict[str, Any] = {
            "temperature": self._temperature,
            "seed": question.seed,
            "num_predict": self._max_tokens,
        }
        if length > _DEFAULT_CONTEXT:
            # By powers of two: Ollama loads the model anew for each other length.
            options["num_ctx"] = 1 << (length - 1).bit_length()
        body: dict[str, Any] = {"model": self.model, "messages": messages, "stream": False, "options": options}
        if self._format is _SCHEMA:
            body["format"] = dict(question.schema)
        elif self._format is _JSON:
            body["format"] = "json"
        if question.logprobs:
            body |= {"logprobs": True, "top_logprobs": TOP_LOGPROBS}
        return body

    def _read(self, response: Response) -> Reply:
        body = response.body
        check_model(self._served or self.model, response, self.transport.server)
        message = body.get("message")
        if not isinstance(message, dict) or not isinstance(message.get("content"), str):
            failure = JudgeFailure(f"{self.transport.server}: this is no answer of Ollama's chat: {sorted(body)}")
            failure.requests = response.requests
            raise failure
        return Reply(
            message["content"],
            whole_number(body.get("prompt_eval_count")),
            whole_number(body.get("eval_count")),
            tokens_of(body.get("logprobs")),
            response.requests,
            response.seconds,
            cut=body.get("done_reason") == "length",
            model=str(body.get("model") or self.model),
        )


_SCHEMA = "JSON schema (format)"
_JSON = "JSON mode"
_LADDER = (_SCHEMA, _JSON, "prompt alone")
