"""What every step of preference tuning needs to know."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console

from fixtures.contracts.errors import UserError
from fixtures.contracts.inference import autocast_dtype, resolve_device
from fixtures.conversations.faults import refuse_errors
from training.causal.task import CausalTask
from training.causal.templates import ChatTemplate, choose_template, stop_tokens
from training.language_models import load_language_model
from training.prefer.data import Sources, prepare, read_sources
from training.prefer.settings import PreferSettings
from training.prefer.tokens import Part

__all__ = ["Task", "understand"]


@dataclass(frozen=True, kw_only=True)
class Task(CausalTask):
    """The settings and what they came to on this machine and data."""

    settings: PreferSettings
    sources: Sources
    template: ChatTemplate
    train: Part
    validation: Part


def understand(settings: PreferSettings, console: Console) -> Task:
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
        refuse_errors(sources.checked(), also=str(error))
        raise
    if note:
        console.print(f"note: {note}")
    train, validation = prepare(sources, base, template, settings=settings, max_length=max_length, console=console)
    return Task(
        settings=settings,
        console=console,
        device=device,
        autocast=autocast,
        base=base,
        max_length=max_length,
        stop_tokens=stop_tokens(base.tokenizer, template),
        sources=sources,
        template=template,
        train=train,
        validation=validation,
    )
