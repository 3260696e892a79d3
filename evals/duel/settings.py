"""What a duel is asked for."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from evals.candidates.settings import CandidateSettings
from evals.commands.options import CommandOptions
from evals.settings import JudgeSettings, Settings

__all__ = ["OPTIONS", "DuelOptions", "DuelSettings"]


class DuelSettings(Settings):
    """How rows are drawn and judged, as in an evaluation, and how candidates are asked."""

    @model_validator(mode="after")
    def _one_task(self) -> DuelSettings:
        """In place of an evaluation's: here, what is asked of chat models needs no ``--chat``."""
        return self


OPTIONS = frozenset(JudgeSettings.model_fields) - {"taxonomy"} | frozenset(CandidateSettings.model_fields)
OPTIONS |= {"num_samples", "seed", "repeats", "max_calls", "max_cost", "dry_run", "verdict_store"}
"""The fields of `DuelSettings` that mean something for a duel."""


class DuelOptions(CommandOptions):
    """What is made of the verdicts."""

    margin: float | None = Field(
        None, gt=0, lt=1, description="gate: B's net preference must not be below minus this, as 0.05"
    )
    confidence: float = Field(
        0.95, gt=0.5, lt=1, description="of the intervals, two-sided, and of --margin's bounds, one-sided"
    )
    max_unscored: int = Field(0, ge=0, description="rows without a verdict that a result may leave out")
    max_position_bias: float = Field(
        0.5, ge=0, le=1, description="position bias of the judge above which --margin is not passed"
    )
    decide_by: Literal["judge", "people"] = Field("judge", description="whose verdicts the gate asks")
    reference: bool = Field(True, description="do not show the judge the reference answer")
    allow_missing: bool = Field(False, description="leave out ratings that are missing")

    @model_validator(mode="after")
    def _a_gate_to_decide(self) -> DuelOptions:
        if self.decide_by == "people" and self.margin is None:
            raise ValueError("--decide-by people needs --margin: without a gate there is nothing to decide")
        return self
