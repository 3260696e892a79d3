"""Settings of one evaluation, and of the gate alone.

Importing this module stays cheap: `pytest --help` does it in every project
that has the plugin.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from evals.candidates.settings import CandidateSettings
from evals.sharding import parse_shard
from fixtures.contracts.errors import UserError
from fixtures.contracts.settings import load_settings, read_config_file
from fixtures.datasets import REMOVABLE

__all__ = ["GatePolicy", "JudgeSettings", "Settings", "load_policy", "load_settings_and_policy", "unfit"]

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


def _comma_separated(value: Any) -> Any:
    return tuple(entry.strip() for entry in value.split(",") if entry.strip()) if isinstance(value, str) else value


def _by_category(value: Any) -> Any:
    """``0.6`` or ``sci.med=0.5,*=0.6``, as a mapping; ``*`` stands for all others."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {"*": value}
    if not isinstance(value, str):
        return value
    if "=" not in value:
        return {"*": value}
    entries = [entry.rpartition("=") for entry in value.split(",") if entry.strip()]
    return {name.strip(): minimum.strip() for name, _, minimum in entries}


def _count_or_all(value: Any) -> Any:
    return None if value == "all" else value


def _count_or_auto(value: Any) -> Any:
    return None if value == "auto" else value


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
    rate: Literal["raw", "corrected"] = Field(
        "raw", description="pass rate that the gate asks for: as judged, or corrected by --calibration"
    )
    calibration: Path | None = Field(None, description="errors of this judge, saved by `python -m evals calibrate`")
    min_category_pass_rate: Annotated[dict[str, Share] | None, NoDecode, BeforeValidator(_by_category)] = Field(
        None, description="pass rate that every category must show: 0.6, or sci.med=0.5,*=0.6"
    )
    min_category_samples: int = Field(20, ge=1, description="samples below which a category decides nothing")
    min_metric_pass_rate: Annotated[dict[str, Share] | None, NoDecode, BeforeValidator(_by_category)] = Field(
        None, description="pass rate that every metric of --chat must show: 0.9, or style=0.8,*=0.9"
    )
    min_accuracy: Share | None = Field(None, description="accuracy against the labels that must be shown")
    min_macro_f1: Share | None = Field(None, description="macro F1 against the labels that must be shown")
    baseline: str | None = Field(None, description="report, or name of a saved baseline, to be no worse than")
    margin: float = Field(0.02, gt=0, lt=1, description="loss against the baseline that is still no worse")
    max_flip_rate: Share | None = Field(
        None, description="share of pairs on which the judge's repeats may differ; needs --repeats"
    )
    min_judge_sensitivity: Share | None = Field(None, description="share of right answers the judge must pass")
    min_judge_specificity: Share | None = Field(None, description="share of wrong answers the judge must fail")

    @model_validator(mode="after")
    def _possible_policy(self) -> GatePolicy:
        if self.rate == "corrected" and self.calibration is None:
            raise ValueError("--rate corrected needs --calibration FILE")
        if self.calibration is not None and self.rate != "corrected":
            raise ValueError("--calibration is for --rate corrected")
        if "margin" in self.model_fields_set and self.baseline is None:
            raise ValueError("--margin is for --baseline REPORT")
        if self.gate == "every-sample" and self.rate == "corrected":
            raise ValueError("--gate every-sample and --rate corrected exclude each other")
        return self


class JudgeSettings(BaseSettings):
    """Which judge, how it is asked, and what it may cost."""

    model_config = SettingsConfigDict(env_prefix="EVALS_", extra="forbid", frozen=True)

    judge: str = Field("rubric", description="who judges; `python -m evals judge list` explains the kinds")
    taxonomy: Path | None = Field(None, description="related categories for the rubric judge (JSON)")
    score_mode: Literal["raw", "weighted"] = Field(
        "raw", description="the judge's integer, or its mean over the judge's token probabilities"
    )
    judge_key_file: Path | None = Field(
        None, description="file with the key of openai: or endpoint: judges; else OPENAI_API_KEY or JUDGE_API_KEY"
    )
    judge_revision: str = Field("", description="revision of the judge's model, if its name does not pin it")
    judge_served_model: str = Field("", description="name the server answers with, where it is another one")
    judge_temperature: float = Field(0.0, ge=0, le=2, description="of the judge's sampling")
    judge_max_tokens: int = Field(1024, ge=16, le=100_000, description="length of an answer, thinking included")
    judge_device: str = Field("auto", description="of hf: judges: auto, cpu, cuda or cuda:N")
    judge_concurrency: Annotated[int | None, BeforeValidator(_count_or_auto)] = Field(
        None, ge=1, le=1024, description="judgements in flight at once, or auto: as many as the server bears"
    )
    judge_timeout: float = Field(120.0, gt=0, le=86_400, description="seconds one request may take")
    judge_retries: int = Field(5, ge=0, le=100, description="repetitions of a request that failed")
    answer_retries: int = Field(2, ge=0, le=20, description="times a judge is told what is wrong with its answer")
    judge_price_in: float = Field(0.0, ge=0, allow_inf_nan=False, description="price of a million tokens of prompt")
    judge_price_out: float = Field(0.0, ge=0, allow_inf_nan=False, description="price of a million tokens of answer")


_NEWS_ONLY = {
    "dataset": "the rows of --chat are the data",
    "remove": "the rows of --chat are taken as they are",
    "threshold": "metrics of --chat have their own in --metrics FILE",
    "taxonomy": "--chat has none",
    "probe_judge": "the probes say nothing of a judge of --chat",
    "min_accuracy": "for --chat, put exact_match in --metrics FILE",
    "min_macro_f1": "for --chat, ask for --min-category-pass-rate",
    "min_judge_sensitivity": "the rows of --chat have no labels to measure a judge by",
    "min_judge_specificity": "the rows of --chat have no labels to measure a judge by",
    "calibration": "for --chat, only the raw pass rate can be asked for",
}
"""What makes no sense for --chat, and the way out."""


class Settings(GatePolicy, JudgeSettings, CandidateSettings):
    """Settings of ``pytest evals``; every field is an option, a config key and ``EVALS_<FIELD>``."""

    model_config = SettingsConfigDict(env_prefix="EVALS_", extra="forbid", frozen=True, protected_namespaces=())

    model_path: Path = Field(Path("./in/model"), description="model folder made by `python -m training`")
    save_to: Path = Field(Path("./out"), description="folder for reports, predictions and verdicts")
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
    chat: Path | None = Field(
        None, description="conversations (JSONL) whose last answers are to be given and judged, in place of news"
    )
    metrics: Path | None = Field(
        None, description="what answers to --chat must satisfy (JSON); default: correctness by the reference"
    )
    candidate: str | None = Field(
        None, description="who answers --chat, e.g. endpoint:MODEL@URL; default: the model of --model-path"
    )
    verdict_store: Path | None = Field(None, description="file of verdicts to re-use; default: in --save-to")
    repeats: int = Field(
        1, ge=1, le=99, description="times each distinct pair is judged, an odd number; the median counts"
    )
    confirm_failures: int = Field(
        0, ge=0, le=99, description="times failing pairs are judged again, for the report only"
    )
    max_calls: int | None = Field(None, ge=1, description="questions to the judge after which the run stops")
    max_cost: float | None = Field(None, gt=0, allow_inf_nan=False, description="money after which the run stops")
    probe_judge: bool = Field(False, description="also try to mislead the judge, and report how often that works")
    dry_run: bool = Field(False, description="say how many judgements, calls and tokens are needed; ask nobody")
    seed: int = Field(0, ge=0, description="of the drawing of samples")
    shard: str | None = Field(
        None, description="i/n: only the i-th of n parts of the draw; `python -m evals merge` makes one report of all"
    )
    shard_file: Path | None = Field(None, description='the same from a file: {"shard": "i/n"}')
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

    @field_validator("shard")
    @classmethod
    def _names_a_shard(cls, value: str | None) -> str | None:
        if value is not None:
            parse_shard(value)
        return value

    @field_validator("repeats")
    @classmethod
    def _no_ties(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("must be odd, or the votes on a pair may tie")
        return value

    @model_validator(mode="after")
    def _possible_judging(self) -> Settings:
        if self.repeats > 1 and self.confirm_failures:
            raise ValueError("--repeats and --confirm-failures exclude each other: repeats judge all pairs again")
        if self.max_flip_rate is not None and self.repeats == 1:
            raise ValueError("--max-flip-rate needs --repeats 3 or more")
        if self.threshold <= 0.5 and (self.min_judge_sensitivity or self.min_judge_specificity):
            raise ValueError("a judge is measured against the labels only at a --threshold above 0.5")
        if self.max_cost is not None and not (self.judge_price_in or self.judge_price_out):
            raise ValueError("--max-cost needs --judge-price-in and --judge-price-out")
        return self

    @model_validator(mode="after")
    def _one_source_of_predictions(self) -> Settings:
        if self.predictions is not None and "model_path" in self.model_fields_set:
            raise ValueError("--predictions and --model-path exclude each other: predictions come from one of them")
        return self

    @model_validator(mode="after")
    def _one_task(self) -> Settings:
        if self.chat is None:
            chat_only = ["metrics", "candidate", "min_metric_pass_rate", *CandidateSettings.model_fields]
            for name in chat_only:
                shared = name in ("save_to", "device", "precision", "allow_unmanifested")
                if name in self.model_fields_set and not shared and getattr(self, name) is not None:
                    raise ValueError(f"--{name.replace('_', '-')} is for --chat FILE")
            return self
        for name in _NEWS_ONLY:
            if name in self.model_fields_set and getattr(self, name) not in (None, False):
                raise ValueError(f"--{name.replace('_', '-')} is about news categories; {_NEWS_ONLY[name]}")
        if self.candidate is not None and (self.predictions is not None or "model_path" in self.model_fields_set):
            raise ValueError("--candidate, --model-path and --predictions exclude each other: one of them answers")
        return self

    @model_validator(mode="after")
    def _one_shard(self) -> Settings:
        if self.shard is not None and self.shard_file is not None:
            raise ValueError("--shard and --shard-file exclude each other: a run is one shard")
        return self

    def gate_policy(self) -> GatePolicy:
        """The gate's part of these settings."""
        given = {name: getattr(self, name) for name in GatePolicy.model_fields if name in self.model_fields_set}
        return GatePolicy(**given)


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
    policy = load_policy(settings.policy, given)
    if (said := unfit(policy, chat=settings.chat is not None)) is not None:
        raise UserError(f"{settings.policy}: {said}")
    return settings, policy, notes


def unfit(policy: GatePolicy, *, chat: bool) -> str | None:
    """Why ``policy`` cannot be asked of this kind of evaluation; None if it can."""
    if not chat:
        return None if policy.min_metric_pass_rate is None else "min_metric_pass_rate is for --chat FILE"
    for name in GatePolicy.model_fields:
        if name in _NEWS_ONLY and getattr(policy, name) is not None:
            return f"{name} is about news categories; {_NEWS_ONLY[name]}"
    return None
