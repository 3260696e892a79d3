"""Kinds of judge, named in one string.

``rubric``                embedded, deterministic, no LLM
``deepeval``              the model that DeepEval's own settings name
``package.module:Class``  a user's `DeepEvalBaseLLM`

All of them answer the prompt that GEval builds; GEval reads the verdict.
"""

from __future__ import annotations

from evals.judges.base import Judge, Judgement
from evals.settings import Settings
from fixtures.contracts.errors import UserError

__all__ = ["Judge", "Judgement", "open_judge"]


def open_judge(settings: Settings) -> Judge:
    """The judge that ``settings.judge`` names. Raises UserError when there is none."""
    spec = settings.judge
    if settings.taxonomy is not None and spec != "rubric":
        raise UserError(f"--taxonomy is for the rubric judge; --judge is {spec}")
    if spec == "rubric":
        from evals.judges.rubric import RubricJudge, read_taxonomy

        return RubricJudge(read_taxonomy(settings.taxonomy))
    if spec == "deepeval":
        from evals.judges.models import configured_judge

        return configured_judge()
    if ":" in spec and all(part.isidentifier() for part in spec.replace(":", ".", 1).split(".")):
        from evals.judges.models import custom_judge

        return custom_judge(spec)
    raise UserError(f'unknown judge "{spec}"; known: rubric, deepeval, package.module:Class')
