"""What every step of a training needs to know: settings, and what they came to here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from rich.console import Console
from transformers import PreTrainedModel

from fixtures.contracts.errors import UserError
from fixtures.contracts.inference import TOKEN_BUDGET, autocast_dtype, encode, predict_logits, resolve_device
from fixtures.datasets import Document
from training.base_models import BaseModel, load_base_model
from training.documents import Corpus, load_corpus
from training.head import Documents
from training.place import make_folder
from training.settings import ClassifySettings

__all__ = ["LIBRARIES", "Task", "Trained", "understand"]

LIBRARIES = ("newsjudge", "torch", "transformers", "peft", "bitsandbytes", "accelerate", "scikit-learn", "tokenizers")
"""Whose versions decide, or may decide, what comes out."""


@dataclass(frozen=True)
class Task:
    """What every step needs to know: the settings and what they came to on this machine and data."""

    settings: ClassifySettings
    console: Console
    device: torch.device
    autocast: torch.dtype | None
    corpus: Corpus
    base: BaseModel
    max_length: int

    def rows(self, documents: Sequence[Document]) -> list[list[int]]:
        """Token ids of documents, as training and evaluation read them."""
        texts = [document.text for document in documents]
        return encode(self.base.tokenizer, texts, template=self.settings.prompt_template, max_length=self.max_length)

    def documents(self, documents: Sequence[Document]) -> Documents:
        """Token ids and label indices of documents."""
        return Documents(self.rows(documents), self.corpus.targets(documents))

    @property
    def budget(self) -> int:
        """Tokens per batch where no gradient is needed."""
        return max(self.settings.batch_tokens, TOKEN_BUDGET)

    def logits(self, model: Any, rows: Sequence[Sequence[int]], *, exact: bool = False) -> np.ndarray:
        """Logits of ``rows``, in their order; ``exact`` computes in float32."""
        return predict_logits(
            model,
            rows,
            pad_token_id=self.base.tokenizer.pad_token_id,
            budget=self.budget,
            autocast=None if exact else self.autocast,
        )


@dataclass(frozen=True)
class Trained:
    """A finished model, the logits it should give for the probes, and how it came about."""

    model: PreTrainedModel
    probe_logits: np.ndarray
    history: dict[str, Any]


def understand(settings: ClassifySettings, console: Console) -> Task:
    """Settle everything that can be wrong before anything long begins."""
    device = resolve_device(settings.device)
    autocast = autocast_dtype(settings.precision, device)
    make_folder(settings.save_to)
    corpus = load_corpus(settings)
    for split, reasons in corpus.dataset.dropped.items():
        for reason, count in reasons.items():
            console.print(f"note: {count} documents of the {split} split are left out: {reason}")
    base = load_base_model(settings.base_model, corpus.labels, [document.text for document in corpus.train])
    max_length = base.max_length(settings.max_length)
    if max_length > settings.batch_tokens:
        raise UserError(
            f"--batch-tokens {settings.batch_tokens} cannot hold one document of {max_length} tokens; "
            "raise it or lower --max-length"
        )
    console.print(
        f"{settings.base_model}, method {settings.method}, on {device}"
        f"{' in ' + str(autocast).removeprefix('torch.') if autocast else ''}: {len(corpus.train)} documents of "
        f"{len(corpus.labels)} categories to train on, {len(corpus.validation)} to choose on, "
        f"{len(corpus.test or ())} to measure on"
    )
    return Task(settings, console, device, autocast, corpus, base, max_length)
