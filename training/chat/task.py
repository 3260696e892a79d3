"""What every step of a chat training needs to know: settings, and what they came to here."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from rich.console import Console

from fixtures.contracts.errors import UserError
from fixtures.contracts.inference import autocast_dtype, resolve_device
from training.chat.data import ChatData, Sources, prepare, read_sources
from training.chat.settings import ChatSettings
from training.chat.templates import ChatTemplate, choose_template
from training.chat.tokens import stop_tokens
from training.language_models import LanguageModel, load_language_model

__all__ = ["LIBRARIES", "Task", "understand"]

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


@dataclass(frozen=True)
class Task:
    """What every step needs to know: the settings and what they came to on this machine and data."""

    settings: ChatSettings
    console: Console
    device: torch.device
    autocast: torch.dtype | None
    sources: Sources
    base: LanguageModel
    template: ChatTemplate
    max_length: int
    data: ChatData
    stop_tokens: list[int]


def understand(settings: ChatSettings, console: Console) -> Task:
    """Settle everything that can be wrong before anything long begins, and say what was found."""
    device = resolve_device(settings.device)
    autocast = autocast_dtype(settings.precision, device)
    sources = read_sources(settings)
    try:
        base = load_language_model(settings.base_model, sources.texts)
        max_length = base.max_length(settings.max_length)
        template, note = choose_template(base.tokenizer, settings.chat_template)
    except UserError as error:
        # Who has to mend the files as well shall hear of it at once.
        sources.refuse_errors(also=str(error))
        raise
    if note:
        console.print(f"note: {note}")
    data = prepare(sources, base, template, settings=settings, max_length=max_length, console=console)
    ends = stop_tokens(base.tokenizer, template)
    if not any(set(ends) & set(row.labels) for row in data.train.rows):
        console.print("warning: no conversation to learn shows where an answer ends; the model may not learn to stop")
    return Task(settings, console, device, autocast, sources, base, template, max_length, data, ends)
