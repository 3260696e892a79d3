"""How candidates are asked: shared by evaluation, duel and try."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["CandidateSettings"]


def _count_or_auto(value: Any) -> Any:
    return None if value == "auto" else value


class CandidateSettings(BaseSettings):
    """Where a candidate computes, how it answers, and how long its server may take."""

    model_config = SettingsConfigDict(env_prefix="EVALS_", extra="forbid", frozen=True)

    save_to: Path = Field(Path("./out"), description="folder for what is written; answers are kept in it, too")
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="of predictions; auto: bf16 where it is fast"
    )
    allow_unmanifested: bool = Field(False, description="accept a model folder that has no manifest")
    max_new_tokens: int = Field(256, ge=1, le=100_000, description="tokens of an answer at most")
    temperature: float = Field(
        0.0, ge=0, le=2, description="of the candidates' sampling; 0: the likeliest token each time"
    )
    candidate_seed: int = Field(0, ge=0, lt=2**31, description="of the candidates' sampling")
    candidate_key_file: Path | None = Field(
        None,
        description="file with the key of openai: or endpoint: candidates; else OPENAI_API_KEY or CANDIDATE_API_KEY",
    )
    candidate_revision: str = Field(
        "", description="of a served model whose name does not pin it: answers of another one are not re-used"
    )
    candidate_concurrency: Annotated[int | None, BeforeValidator(_count_or_auto)] = Field(
        None, ge=1, le=1024, description="requests in flight at once, or auto: as many as the server bears"
    )
    candidate_timeout: float = Field(300.0, gt=0, le=86_400, description="seconds one request may take")
    candidate_retries: int = Field(5, ge=0, le=100, description="repetitions of a request that failed")
