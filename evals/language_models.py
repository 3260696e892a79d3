"""What all use of a causal language model in this process has in common, whether it judges or is judged.

It imports PyTorch, so it is imported only when there is something to ask.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from fixtures.contracts.inference import token_budget_batches

__all__ = ["Batches", "fitting", "left_padded", "load_language_model"]

TOKENS_AT_ONCE = 16_384
"""Of prompts and answers in one batch, padding included; less once memory has run out."""

Result = TypeVar("Result")


def load_language_model(
    source: str, *, device: torch.device, dtype: torch.dtype, **where: Any
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Model and tokenizer, ready to answer.

    Raises whatever Transformers raises, and ValueError for missing weights.
    """
    # What is wrong is said by us, in one line; its own bar would stand across ours.
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(source, **where)
    model, info = AutoModelForCausalLM.from_pretrained(source, dtype=dtype, output_loading_info=True, **where)
    # transformers fills what is missing with random numbers.
    if missing := sorted(info["missing_keys"]):
        raise ValueError(f"{len(missing)} of its weights are missing, {missing[0]} among them")
    return model.to(device).eval(), tokenizer


def left_padded(prompts: Sequence[Sequence[int]], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask, each prompts x the longest one's tokens.

    On the left, so that all answers begin at one place; what it is padded with
    is masked out.
    """
    width = max(len(prompt) for prompt in prompts)
    ids = torch.zeros((len(prompts), width), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for line, prompt in enumerate(prompts):
        ids[line, width - len(prompt) :] = torch.tensor(prompt)
        mask[line, width - len(prompt) :] = 1
    return ids.to(device), mask.to(device)


def fitting(run: Callable[[], Result], device: torch.device) -> Result | None:
    """What ``run`` returns, or None if memory does not suffice for it."""
    try:
        return run()
    except (RuntimeError, MemoryError) as error:
        if not _is_out_of_memory(error):
            raise
    # Outside the handler, where the error no longer holds on to the tensors.
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return None


def _is_out_of_memory(error: Exception) -> bool:
    # On a CPU PyTorch raises a plain RuntimeError.
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "allocate memory" in str(error)


class Batches:
    """Batches that fit into memory: what did not is halved, and remembered."""

    def __init__(self) -> None:
        self._at_once = TOKENS_AT_ONCE

    def of(
        self, sizes: Sequence[int], answer: Callable[[list[int]], Sequence[Result] | None]
    ) -> Iterator[tuple[list[int], Sequence[Result] | None]]:
        """Indices into ``sizes`` (tokens) with what ``answer`` makes of them, batch by batch.

        ``answer`` returns None for a batch that does not fit; so does this,
        for an index that does not even fit alone.
        """
        batches = token_budget_batches(sizes, self._at_once)
        while batches:
            batch = batches.pop(0)
            results = answer(batch)
            if results is None and len(batch) > 1:
                half = (len(batch) + 1) // 2
                self._at_once = half * max(sizes[index] for index in batch)
                batches[:0] = [batch[:half], batch[half:]]
            else:
                yield batch, results
