"""What every step of a chat training needs to know: settings, and what they came to here."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console

from fixtures.contracts.errors import UserError
from fixtures.contracts.inference import autocast_dtype, resolve_device
from training.causal.task import CausalTask
from training.causal.templates import ChatTemplate, choose_template, stop_tokens
from training.chat.data import ChatData, Sources, prepare, read_sources
from training.chat.settings import ChatSettings
from training.language_models import load_language_model

__all__ = ["Task", "understand"]


@dataclass(frozen=True, kw_only=True)
class Task(CausalTask):
    """The settings and what they came to on this machine and data."""

    settings: ChatSettings
    sources: Sources
    template: ChatTemplate
    data: ChatData


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
    return Task(
        settings=settings,
        console=console,
        device=device,
        autocast=autocast,
        sources=sources,
        base=base,
        template=template,
        max_length=max_length,
        data=data,
        stop_tokens=ends,
    )
