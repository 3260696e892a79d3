"""What every step of continued pretraining needs to know."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console

from fixtures.contracts.errors import UserError
from fixtures.contracts.inference import autocast_dtype, resolve_device
from fixtures.conversations.faults import refuse_errors
from training.causal.task import CausalTask
from training.language_models import load_language_model
from training.pretrain.data import Sources, prepare, read_sources
from training.pretrain.pieces import Part
from training.pretrain.settings import PretrainSettings

__all__ = ["Task", "understand"]


@dataclass(frozen=True, kw_only=True)
class Task(CausalTask):
    """The settings and what they came to on this machine and data."""

    settings: PretrainSettings
    sources: Sources
    train: Part
    validation: Part


def understand(settings: PretrainSettings, console: Console) -> Task:
    """Settle everything that can be wrong before anything long begins, and say what was found."""
    device = resolve_device(settings.device)
    autocast = autocast_dtype(settings.precision, device)
    sources = read_sources(settings, console)
    try:
        base = load_language_model(settings.base_model, [document.text for document in sources.train])
        max_length = base.max_length(settings.max_length)
    except UserError as error:
        # Who has to mend the files as well shall hear of it at once.
        refuse_errors(sources.checked(), also=str(error))
        raise
    train, validation = prepare(sources, base, settings=settings, max_length=max_length, console=console)
    return Task(
        settings=settings,
        console=console,
        device=device,
        autocast=autocast,
        base=base,
        max_length=max_length,
        sources=sources,
        train=train,
        validation=validation,
    )
