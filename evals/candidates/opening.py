"""From the string that names a candidate to the candidate; heavy kinds are imported when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import SecretStr

from evals.candidates.asking import AskedCandidate
from evals.candidates.base import Candidate
from evals.candidates.settings import CandidateSettings
from evals.candidates.specs import CandidateSpec, read_spec
from fixtures.contracts.errors import UserError

__all__ = ["open_candidate", "open_candidates"]


def open_candidate(text: str, settings: CandidateSettings) -> Candidate:
    """The candidate that ``text`` names, verified and not asked yet. Raises UserError."""
    spec = read_spec(text)
    if spec.kind == "answers":
        from evals.candidates.files import AnswersFile

        return AnswersFile(spec.text)
    return open_asked(spec, settings)


def open_candidates(texts: Sequence[str], settings: CandidateSettings) -> list[Candidate]:
    """Several candidates to be put side by side. Raises UserError, also for a key that two servers would get."""
    from evals.judges.secrets import for_one_server

    servers = [(spec.kind, spec.url) for spec in map(read_spec, texts)]
    try:
        for_one_server(servers, settings.candidate_key_file, "CANDIDATE_API_KEY", who="candidates")
    except UserError as error:
        raise UserError(
            f"{error}\n"
            "  answer the rows by one candidate after the other, each with its key, and name the files of answers"
        ) from None
    return [open_candidate(text, settings) for text in texts]


def open_asked(spec: CandidateSpec, settings: CandidateSettings) -> AskedCandidate:
    """A candidate that can be asked anything. Raises UserError."""
    if spec.kind in ("folder", "hf"):
        from evals.candidates.folders import open_folder

        return AskedCandidate(spec.text, "folder", open_folder(spec, settings), settings)
    from evals.candidates.servers import open_server

    return AskedCandidate(spec.text, spec.kind, open_server(spec, _key(spec, settings), settings), settings)


def _key(spec: CandidateSpec, settings: CandidateSettings) -> SecretStr | None:
    """The key for this server alone: neither a judge's nor another server's."""
    from evals.judges.secrets import read_key

    if spec.kind == "ollama":
        return None
    variable = "OPENAI_API_KEY" if spec.kind == "openai" else "CANDIDATE_API_KEY"
    key = read_key(settings.candidate_key_file, variable, "--candidate-key-file")
    if spec.kind == "openai" and key is None:
        raise UserError(f"candidate {spec.text}: no key; set {variable} or pass --candidate-key-file FILE")
    return key
