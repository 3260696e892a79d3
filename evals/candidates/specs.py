"""The one string that names a candidate."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from evals.judges.specs import read_remote
from fixtures.contracts.errors import UserError
from fixtures.conversations.answers import ANSWERS

__all__ = ["KINDS", "CandidateSpec", "read_spec"]

KINDS = {
    "FOLDER": "a chat model made by `python -m training chat`, in this process",
    "FILE": f"answers of any system: {ANSWERS}, or its folder",
    "endpoint:MODEL@URL": "any OpenAI-compatible server; URL up to and with /v1; the key, if it needs one, in "
    "CANDIDATE_API_KEY or --candidate-key-file",
    "openai:MODEL": "OpenAI's API; the key in OPENAI_API_KEY or --candidate-key-file; the server in OPENAI_BASE_URL",
    "ollama:MODEL[@URL]": "a model that Ollama has; URL: OLLAMA_HOST or this machine",
    "hf:FOLDER_OR_ID": "any causal language model of Hugging Face with a chat template, in this process",
}


class CandidateSpec(NamedTuple):
    """A candidate: its kind, the file, folder or model, and the server's address."""

    text: str
    kind: str
    """folder, answers, hf, openai, endpoint or ollama."""
    target: str
    url: str = ""


def read_spec(text: str) -> CandidateSpec:
    """What ``text`` names. Raises UserError."""
    kind, _, rest = text.partition(":")
    if kind in ("openai", "endpoint", "ollama"):
        spec = read_remote(text, "--candidate")
        return CandidateSpec(text, kind, spec.target, spec.url)
    if kind == "hf" and rest:
        return CandidateSpec(text, "hf", rest)
    path = Path(text)
    if path.is_file() or (path / ANSWERS).is_file():
        return CandidateSpec(text, "answers", text)
    if path.is_dir():
        return CandidateSpec(text, "folder", text)
    kinds = "\n".join(f"  {name:20} {words}" for name, words in KINDS.items())
    raise UserError(
        f'candidate "{text}": no such file or folder, nor another kind of candidate; the kinds are\n{kinds}'
    )
