"""The beginning of every fine-tuning: quiet libraries, and a place to save to."""

from __future__ import annotations

from transformers.utils import logging as transformers_logging

from training.causal.settings import CausalSettings
from training.place import make_folder, refuse_own_output_as_base

__all__ = ["begin"]


def begin(settings: CausalSettings) -> None:
    """Quieten transformers and, unless only a check is wanted, make ready the folder to save to.

    Raises UserError where it cannot be written, or holds the base model.
    """
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    if settings.check_only:
        return
    for name in ("model", "adapter"):
        refuse_own_output_as_base(settings.base_model, settings.save_to / name)
    make_folder(settings.save_to)
