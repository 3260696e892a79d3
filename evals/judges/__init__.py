"""Kinds of judge; `specs` lists them, `base` says what they have in common.

All of them answer the prompt that GEval builds, and GEval reads the verdict.
Which module to read for which kind:

``rubric``   the embedded rules
``openai``   OpenAI and every compatible server, over ``transport``
``ollama``   Ollama's own API, over ``transport``
``local``    a causal language model in this process
``models``   DeepEval's configured model, and a user's own class
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evals.judges.base import Judge, JudgeFailure, Judgement, JudgeUnavailable
from evals.judges.specs import Spec, read_specs
from fixtures.contracts.errors import UserError

if TYPE_CHECKING:
    # The settings of an evaluation hold a candidate's, and a candidate's kinds share spellings with judges.
    from evals.settings import JudgeSettings

__all__ = ["Judge", "JudgeFailure", "JudgeUnavailable", "Judgement", "open_judges"]


def open_judges(settings: JudgeSettings) -> tuple[Judge, ...]:
    """The judges that ``settings.judge`` names: one, or a panel. Nothing is asked yet. Raises UserError."""
    specs = read_specs(settings.judge)
    if settings.taxonomy is not None and all(spec.kind != "rubric" for spec in specs):
        raise UserError(f"--taxonomy is for the rubric judge; --judge is {settings.judge}")
    if settings.score_mode == "weighted" and any(spec.kind == "rubric" for spec in specs):
        raise UserError("--score-mode weighted: the rubric judge has no token probabilities; use raw")
    if len(specs) > 1:
        from evals.judges.secrets import for_one_server

        servers = [(spec.kind, spec.url) for spec in specs]
        for_one_server(servers, settings.judge_key_file, "JUDGE_API_KEY", who="the judges of a panel")
    return tuple(_open(spec, settings) for spec in specs)


def _open(spec: Spec, settings: JudgeSettings) -> Judge:
    # Each kind is imported when it is asked for: most of them are heavy.
    if spec.kind == "rubric":
        from evals.judges.rubric import RubricJudge, read_taxonomy

        return RubricJudge(read_taxonomy(settings.taxonomy))
    if spec.kind == "ollama":
        from evals.judges.ollama import OllamaJudge, default_url

        return OllamaJudge(spec.text, spec.target, spec.url or default_url(), settings)
    if spec.kind in ("openai", "endpoint"):
        return _open_chat(spec, settings)
    if spec.kind == "hf":
        from evals.judges.local import open_local_judge

        return open_local_judge(spec.text, settings)
    from evals.judges.models import configured_judge, custom_judge

    return configured_judge(settings) if spec.kind == "deepeval" else custom_judge(spec.target, settings)


def _open_chat(spec: Spec, settings: JudgeSettings) -> Judge:
    from evals.judges.openai import ChatJudge, default_openai_url
    from evals.judges.secrets import read_key

    # OpenAI's key is for OpenAI: another server never gets it unasked.
    variable = "OPENAI_API_KEY" if spec.kind == "openai" else "JUDGE_API_KEY"
    key = read_key(settings.judge_key_file, variable)
    if spec.kind == "openai" and key is None:
        raise UserError(f"--judge {spec.text}: no key; set {variable} or pass --judge-key-file FILE")
    url = spec.url or default_openai_url()
    return ChatJudge(spec.text, spec.kind, spec.target, url, key, settings)
