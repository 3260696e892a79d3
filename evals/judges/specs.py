"""The one string that names a judge, or a panel of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from fixtures.contracts.errors import UserError

__all__ = ["KINDS", "Spec", "check_url", "read_remote", "read_specs"]

KINDS = {
    "rubric": "rules, no LLM: the metric's rubric applied to category names; of chat answers, the words they share "
    "with the reference; embedded, deterministic",
    "ollama:MODEL[@URL]": "a model that Ollama has pulled, e.g. ollama:llama3.2; URL: OLLAMA_HOST or this machine",
    "openai:MODEL": "OpenAI's API; the key in OPENAI_API_KEY or --judge-key-file; the server in OPENAI_BASE_URL",
    "endpoint:MODEL@URL": "any OpenAI-compatible server (vLLM, llama.cpp, LiteLLM, transformers serve, Ollama's "
    "/v1); URL up to and with /v1; the key, if it needs one, in JUDGE_API_KEY or --judge-key-file",
    "hf:PATH_OR_ID": "a causal language model of Hugging Face in this process, held to the schema token by token",
    "deepeval": "the model that `deepeval set-...` or DeepEval's environment variables configured",
    "package.module:Class": "your own DeepEvalBaseLLM, importable from here",
    "a,b,c": "a panel of an odd number of judges: the median score and the majority's verdict count",
}
_REMOTE = re.compile(r"(?P<model>[^@\s]+(?:@(?!https?://)[^@\s]+)*)(?:@(?P<url>https?://\S+))?")


@dataclass(frozen=True, slots=True)
class Spec:
    """One judge: its kind, what stands behind it, and where."""

    text: str
    kind: str
    """rubric, deepeval, ollama, openai, endpoint, hf or class."""
    target: str = ""
    """The model's name, the folder, or ``package.module:Class``."""
    url: str = ""


def read_specs(text: str) -> tuple[Spec, ...]:
    """The judges that ``text`` names; several are a panel. Raises UserError."""
    members = tuple(_read_spec(part.strip()) for part in text.split(","))
    if len(members) > 1 and len(members) % 2 == 0:
        raise UserError(f'--judge "{text}": a panel needs an odd number of judges, or its votes may tie')
    texts = [member.text for member in members]
    twice = sorted({text for text in texts if texts.count(text) > 1})
    if twice:
        raise UserError(f'--judge "{text}": {twice[0]} has two seats; one judge asked twice is --repeats')
    return members


def _read_spec(text: str) -> Spec:
    kind, _, rest = text.partition(":")
    if text in ("rubric", "deepeval"):
        return Spec(text, text)
    if kind == "hf" and rest:
        return Spec(text, kind, rest)
    if kind in ("ollama", "openai", "endpoint"):
        return read_remote(text, "--judge")
    if rest and all(part.isidentifier() for part in text.replace(":", ".", 1).split(".")):
        return Spec(text, "class", text)
    kinds = "\n".join(f"  {name:22} {words}" for name, words in KINDS.items())
    raise UserError(f'--judge: unknown judge "{text}"; the kinds are\n{kinds}')


def check_url(url: str, place: str, way_out: str) -> None:
    """Raise UserError, which does not show it, for a server's URL that may hold a secret: it is stored and printed."""
    try:
        parts = urlsplit(url)
        secret = parts.username is not None or parts.password is not None or parts.query or parts.fragment
        # A property that looks at what stands behind the colon.
        _ = parts.port
    except ValueError as error:
        raise UserError(f"{place}: this is no URL: what should be the port is no number") from error
    if secret:
        raise UserError(f"{place}: a URL with a password or a query would be stored and printed; {way_out}")


def read_remote(text: str, option: str) -> Spec:
    """A model of OpenAI, of Ollama or of an OpenAI-compatible server, as ``option`` names it. Raises UserError."""
    kind, _, rest = text.partition(":")
    found = _REMOTE.fullmatch(rest)
    if found is None:
        raise UserError(f'{option} "{text}": no model is named, or the URL lacks http:// or https://')
    model, url = found["model"], found["url"] or ""
    check_url(url, f"{option} {kind}:{model}@...", f"use {option}-key-file")
    if kind == "endpoint" and not url:
        raise UserError(f'{option} "{text}": endpoint: needs a URL, like endpoint:MODEL@http://localhost:8000/v1')
    if kind == "openai" and url:
        raise UserError(f'{option} "{text}": openai: takes no URL; use endpoint:{model}@{url}')
    if "@" in model and kind != "endpoint":
        raise UserError(f'{option} "{text}": the URL after "@" must begin with http:// or https://')
    return Spec(text, kind, model, url)
