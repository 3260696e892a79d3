"""What every step of a fine-tuning needs to know: settings, and what they came to here."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from rich.console import Console

from training.causal.settings import CausalSettings
from training.language_models import LanguageModel

__all__ = ["LIBRARIES", "CausalTask"]

LIBRARIES = (
    "newsjudge",
    "torch",
    "transformers",
    "trl",
    "peft",
    "bitsandbytes",
    "accelerate",
    "datasets",
    "tokenizers",
)
"""Whose versions decide, or may decide, what comes out."""


@dataclass(frozen=True, kw_only=True)
class CausalTask:
    """The settings and what they came to on this machine and data."""

    settings: CausalSettings
    console: Console
    device: torch.device
    autocast: torch.dtype | None
    base: LanguageModel
    max_length: int
    stop_tokens: list[int] = field(default_factory=list)
    """Tokens at which `generate` is to stop, beside those at which the base model does."""
