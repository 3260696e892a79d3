"""The model folder, as evaluation will get it."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fixtures.contracts.errors import UserError
from training.errors import TrainingFailed

__all__ = ["PROBES", "empty_folder", "refuse_infinite", "save_model"]

PROBES = 8
"""Documents whose logits are compared before and after saving."""


def save_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write weights (safetensors), configuration and tokenizer to ``folder``, replacing what is there.

    Raises TrainingFailed for weights that are not finite, UserError when the
    folder cannot be written.
    """
    refuse_infinite(model)
    try:
        empty_folder(folder)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    except Exception as error:
        # torch, safetensors and json each have their own error for a full disk.
        raise UserError(f"cannot write the model to {folder}: {str(error).splitlines()[0]}") from error


def refuse_infinite(model: torch.nn.Module) -> None:
    """Raise TrainingFailed for weights that are not finite."""
    for name, parameter in model.named_parameters():
        if not torch.isfinite(parameter).all():
            raise TrainingFailed(f"weight {name} holds NaN or infinite values after training; nothing was saved")


def empty_folder(folder: Path) -> None:
    """Make a folder, or remove what is in it. It stays itself: it may be a mount point."""
    folder.mkdir(parents=True, exist_ok=True)
    for entry in folder.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
