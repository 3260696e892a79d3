"""Settings of one evaluation, and of the gate alone.

Importing this module stays cheap: `pytest --help` does it in every project
that has the plugin.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from fixtures.contracts.errors import UserError
from fixtures.contracts.settings import load_settings, read_config_file
from fixtures.datasets import REMOVABLE

__all__ = ["GatePolicy", "Settings", "load_policy", "load_settings_and_policy"]

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


def _comma_separated(value: Any) -> Any:
    return tuple(entry.strip() for entry in value.split(",") if entry.strip()) if isinstance(value, str) else value


def _count_or_all(value: Any) -> Any:
    return None if value == "all" else value


class GatePolicy(BaseSettings):
    """What a run must show to pass. A policy file has these keys."""

    model_config = SettingsConfigDict(env_prefix="EVALS_", extra="forbid", frozen=True)

    gate: Literal["rate", "every-sample"] = Field(
        "rate", description="what must hold: the pass rate's lower bound, or every sample"
    )
    min_pass_rate: Share = Field(0.8, description="pass rate that must be shown")
    confidence: float = Field(
        0.95, gt=0.5, lt=1, description="one-sided confidence of the gate's bounds, between 0.5 and 1"
    )
    max_unscored: int = Field(0, ge=0, description="samples the judge may leave unscored")
    max_unscored_share: Share | None = Field(None, description="the same as a share of all samples; replaces the count")


class Settings(GatePolicy):
    """Settings of ``pytest evals``; every field is an option, a config key and ``EVALS_<FIELD>``."""

    model_config = SettingsConfigDict(env_prefix="EVALS_", extra="forbid", frozen=True, protected_namespaces=())

    model_path: Path = Field(Path("./in/model"), description="model folder made by `python -m training`")
    save_to: Path = Field(Path("./out"), description="folder for reports, predictions and verdicts")
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="of predictions; auto: bf16 where it is fast"
    )
    num_samples: Annotated[int | None, BeforeValidator(_count_or_all)] = Field(
        100, ge=1, description="test samples to draw, in proportion to the categories, or all"
    )
    threshold: Share = Field(0.8, description="score from which a sample passes")
    dataset: str | None = Field(
        None, description="embedded, 20newsgroups, a file or a folder; default: what the model was trained on"
    )
    remove: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_comma_separated)] | None = Field(
        None, description="headers,footers,quotes of 20newsgroups to strip; default: as in training"
    )
    predictions: Path | None = Field(None, description="predictions of any system (JSONL), instead of a model")
    allow_unmanifested: bool = Field(False, description="accept a model folder that has no manifest")
    judge: str = Field("rubric", description="rubric, deepeval or package.module:Class")
    taxonomy: Path | None = Field(None, description="related categories for the rubric judge (JSON)")
    judge_concurrency: int = Field(8, ge=1, le=1024, description="judgements in flight at once")
    verdict_store: Path | None = Field(None, description="file of verdicts to re-use; default: in --save-to")
    seed: int = Field(0, ge=0, description="of the drawing of samples")
    policy: Path | None = Field(None, description="gate policy (JSON) instead of the gate's options")
    fail_on: Literal["fail", "inconclusive", "never"] = Field(
        "inconclusive", description="the mildest verdict that fails the run"
    )

    @field_validator("remove")
    @classmethod
    def _known_parts(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        unknown = [part for part in value or () if part not in REMOVABLE]
        if unknown:
            raise ValueError(f"{', '.join(unknown)} cannot be removed; allowed: {', '.join(REMOVABLE)}")
        return value

    @model_validator(mode="after")
    def _one_source_of_predictions(self) -> Settings:
        if self.predictions is not None and "model_path" in self.model_fields_set:
            raise ValueError("--predictions and --model-path exclude each other: predictions come from one of them")
        return self

    def gate_policy(self) -> GatePolicy:
        """The gate's part of these settings."""
        return GatePolicy(**{name: getattr(self, name) for name in GatePolicy.model_fields})


def load_policy(path: Path, given: dict[str, Any] | None = None) -> GatePolicy:
    """The policy of a file.

    ``given`` are gate options set elsewhere: the same key in both is an error,
    because neither can be meant to win. Raises UserError.
    """
    keys = read_config_file(path, GatePolicy.model_fields)
    both = sorted(set(keys) & set(given or {}))
    if both:
        options = ", ".join(f"--{key.replace('_', '-')}" for key in both)
        raise UserError(f"{options} and policy file {path} both set {', '.join(both)}; keep one of them")
    policy, _ = load_settings(GatePolicy, given or {}, config_file=path, whole=Settings)
    return policy


def load_settings_and_policy(
    options: dict[str, Any], config_file: Path | None
) -> tuple[Settings, GatePolicy, list[str]]:
    """Validated settings, the gate's policy and notes to print. Raises UserError."""
    settings, notes = load_settings(Settings, options, config_file=config_file)
    if settings.policy is None:
        return settings, settings.gate_policy(), notes
    given = {name: getattr(settings, name) for name in GatePolicy.model_fields if name in settings.model_fields_set}
    return settings, load_policy(settings.policy, given), notes
