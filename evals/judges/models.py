"""Judges that are models: DeepEval's configured one, or a user's own class."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

from deepeval.models import DeepEvalBaseLLM
from pydantic import BaseModel, ConfigDict

from evals.judges.base import Judgement, MalformedAnswer
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import sha256_file

__all__ = ["ModelJudge", "configured_judge", "custom_judge"]


class _LooseVerdict(BaseModel):
    """The schema sent to a model: typed enough to guide it, loose enough to keep its spelling.

    GEval's own schema would turn ``"8"`` and ``true`` into numbers before
    anybody could look at them.
    """

    model_config = ConfigDict(title="ReasonScore")

    reason: str
    score: int | float | str


class ModelJudge:
    """A `DeepEvalBaseLLM` as a judge."""

    is_llm = True

    def __init__(self, spec: str, llm: DeepEvalBaseLLM, identity: dict[str, Any]) -> None:
        self.spec = spec
        self.model = str(llm.get_model_name())
        self.identity = {"kind": spec, "model": self.model, **identity}
        self._llm = llm

    async def answer(self, prompt: str, judgement: Judgement) -> str:
        """The model's raw answer to GEval's prompt."""
        result: Any = await self._llm.a_generate_with_schema(prompt, schema=_LooseVerdict)
        # DeepEval's own models answer with a pair of result and cost.
        if isinstance(result, tuple):
            result = result[0]
        if isinstance(result, BaseModel):
            return result.model_dump_json()
        if not isinstance(result, str):
            raise MalformedAnswer(f"the judge answered a {type(result).__name__}, not text", repr(result))
        return result


def configured_judge() -> ModelJudge:
    """The model that DeepEval's own settings name. Raises UserError if they name none."""
    from deepeval.metrics.utils import initialize_model

    try:
        llm, _ = initialize_model(None)
    except Exception as error:  # DeepEval raises a different class for each provider.
        raise UserError(
            f"--judge deepeval: DeepEval has no usable model configured: {str(error).splitlines()[0]}\n"
            "  configure one, e.g. with USE_LOCAL_MODEL=1, LOCAL_MODEL_NAME and LOCAL_MODEL_BASE_URL, "
            "or use --judge rubric"
        ) from error
    assert llm is not None
    return ModelJudge("deepeval", llm, {"class": type(llm).__name__})


def custom_judge(spec: str) -> ModelJudge:
    """An instance of a user's class, made without arguments. Raises UserError."""
    module_name, _, class_name = spec.partition(":")
    try:
        cls = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError) as error:
        raise UserError(f"--judge {spec}: {error}") from error
    if not (isinstance(cls, type) and issubclass(cls, DeepEvalBaseLLM)):
        raise UserError(f"--judge {spec}: must be a subclass of deepeval.models.DeepEvalBaseLLM")
    try:
        llm = cls()
    except Exception as error:  # A user's code may raise anything.
        raise UserError(f"--judge {spec}: cannot be made without arguments: {error}") from error
    source = inspect.getsourcefile(cls)
    # Verdicts of an edited class are not those of the old one.
    return ModelJudge(spec, llm, {"source": sha256_file(Path(source)) if source else None})
