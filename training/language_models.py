"""The language models that training starts from, by name.

``scratch:llama-tiny``  a small Llama with random weights and its own tokenizer
a folder                any causal language model that transformers can load
anything else           the id of a model on the Hugging Face hub
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from fixtures.contracts.errors import UserError
from training.base_models import BaseModel, folder_digest, local_folder, read_parts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["LLAMA_TINY", "LanguageModel", "load_language_model"]

LLAMA_TINY = "scratch:llama-tiny"


@dataclass(frozen=True)
class LanguageModel(BaseModel):
    """A `BaseModel` that is to stay a language model."""

    peft_task: ClassVar[str] = "CAUSAL_LM"
    auto_class: ClassVar[str] = "AutoModelForCausalLM"
    longest: ClassVar[int] = 2048


def load_language_model(name: str, texts: Sequence[str]) -> LanguageModel:
    """Find the model called ``name``; no weights are read yet.

    ``texts`` are the training data, from which a model made from scratch
    learns its tokenizer. Raises UserError for an unknown model, for an
    adapter, and for a tokenizer that has nothing to pad with.
    """
    if name.startswith(("embedded:", "scratch:")) and name != LLAMA_TINY:
        raise UserError(f'unknown language model "{name}"; made here is {LLAMA_TINY}')
    if name == LLAMA_TINY:
        from training.scratch import llama_tiny

        config, tokenizer = llama_tiny(texts)
        return LanguageModel(name, None, None, None, tokenizer, config)
    folder = local_folder(name)
    if folder and (folder / "adapter_config.json").exists() and not (folder / "config.json").exists():
        raise UserError(
            f"--base-model {name} is an adapter, not a model: train with --save merged, and start from that"
        )
    config, tokenizer = read_parts(name, folder, without_network=LLAMA_TINY)
    _make_paddable(tokenizer)
    config.get_text_config().pad_token_id = tokenizer.pad_token_id
    return LanguageModel(
        name=name,
        source=str(folder or name),
        revision=getattr(config, "_commit_hash", None),
        digest=folder_digest(folder) if folder else None,
        tokenizer=tokenizer,
        config=config,
    )


def _make_paddable(tokenizer: PreTrainedTokenizerBase) -> None:
    """Choose a token for padding where the tokenizer has none, and pad on the right."""
    if tokenizer.pad_token is None:
        # Not the end token if it can be helped: many a program takes every padding token out of the loss.
        tokenizer.pad_token = tokenizer.unk_token or tokenizer.eos_token or tokenizer.bos_token
    if tokenizer.pad_token is None:
        raise UserError("the base model's tokenizer has no token to pad with: neither pad, unk, eos nor bos")
    tokenizer.padding_side = "right"
