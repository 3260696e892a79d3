"""Judges that are models: DeepEval's configured one, or a user's own class."""

from __future__ import annotations

import importlib
import inspect
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from deepeval.models import DeepEvalBaseLLM
from pydantic import BaseModel, ConfigDict
from tenacity import RetryError

from evals.judges.base import Capabilities, JudgeFailure, Question, Reply
from evals.judges.secrets import masked
from evals.judges.wire import TOP_LOGPROBS, tokens_of, whole_number
from evals.settings import JudgeSettings
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
    """A `DeepEvalBaseLLM` as a judge. What it raises is its author's, or DeepEval's, own."""

    is_llm = True

    def __init__(self, spec: str, llm: DeepEvalBaseLLM, identity: dict[str, Any], concurrency: int | None) -> None:
        self.spec = spec
        self.model = str(llm.get_model_name())
        self.identity: Mapping[str, Any] = {"kind": spec, "model": self.model, **identity}
        # A class of DeepEval's or a user's own has no way to tell how much its server bears.
        self.concurrency = concurrency or 8
        self._llm = llm

    async def close(self) -> None:
        """Nothing to let go of: DeepEval's models keep their connections to themselves."""

    async def examine(self, question: Question) -> tuple[Reply, Capabilities]:
        """Answer; whether the schema is enforced is the class's own affair and stays unknown."""
        reply = await self.answer(question)
        notes = ("what its class does with the schema is not known; answers are checked",)
        return reply, Capabilities(self.model, None, reply.tokens is not None, notes)

    async def answer(self, question: Question) -> Reply:
        """The model's raw answer to GEval's prompt."""
        started = time.perf_counter()
        try:
            if question.logprobs and hasattr(self._llm, "a_generate_raw_response"):
                reply = await self._with_logprobs(question)
            else:
                reply = _reply(await self._llm.a_generate_with_schema(question.text(), schema=_LooseVerdict))
        except JudgeFailure:
            raise
        except Exception as error:  # Whatever a user's class raises is the judge's failure, never the sample's.
            raise JudgeFailure(_innermost(error)) from error
        return replace(reply, seconds=time.perf_counter() - started)

    async def _with_logprobs(self, question: Question) -> Reply:
        """By the method that DeepEval's GEval itself uses for weighted scores."""
        ask: Any = getattr(self._llm, "a_generate_raw_response")  # noqa: B009 - the base class lacks it
        response, _ = await ask(question.text(), top_logprobs=TOP_LOGPROBS)
        body = response.model_dump() if isinstance(response, BaseModel) else response
        choice = body["choices"][0]
        usage = body.get("usage") or {}
        return Reply(
            choice["message"]["content"] or "",
            whole_number(usage.get("prompt_tokens")),
            whole_number(usage.get("completion_tokens")),
            tokens_of((choice.get("logprobs") or {}).get("content")),
        )


def _reply(result: Any) -> Reply:
    # DeepEval's own models answer with a pair of result and cost.
    if isinstance(result, tuple):
        result = result[0]
    if isinstance(result, BaseModel):
        return Reply(result.model_dump_json())
    if not isinstance(result, str):
        raise JudgeFailure(f"the judge answered a {type(result).__name__}, not text")
    return Reply(result)


def _innermost(error: BaseException) -> str:
    """What really happened: DeepEval hides it inside tenacity's RetryError."""
    if isinstance(error, RetryError):
        error = error.last_attempt.exception() or error
    return f"{type(error).__name__}: {error}"


def configured_judge(settings: JudgeSettings) -> ModelJudge:
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
    return ModelJudge("deepeval", llm, {"class": type(llm).__name__, **_sampling(llm)}, settings.judge_concurrency)


def _sampling(llm: DeepEvalBaseLLM) -> dict[str, Any]:
    """What of a DeepEval model's settings can change its verdicts; its address and key cannot."""
    generation = getattr(llm, "generation_kwargs", None) or {}
    return {"temperature": getattr(llm, "temperature", None), "generation": masked(repr(sorted(generation.items())))}


def custom_judge(spec: str, settings: JudgeSettings) -> ModelJudge:
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
    identity = {"source": sha256_file(Path(source)) if source else None}
    return ModelJudge(spec, llm, identity, settings.judge_concurrency)
