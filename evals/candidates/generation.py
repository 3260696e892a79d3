"""Answers of a chat model in this process, many at a time.

Imported only when there is something to ask: it imports PyTorch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig, LogitsProcessor, PreTrainedTokenizerBase, TextStreamer

from evals.candidates.base import Answered, Finished
from evals.candidates.settings import CandidateSettings
from evals.language_models import Batches, fitting, left_padded, load_language_model
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import sha256_text
from fixtures.contracts.inference import autocast_dtype, resolve_device
from fixtures.conversations.rows import ChatRow

__all__ = ["ChatModel"]


class ChatModel:
    """Model and tokenizer of a folder. Raises UserError when they cannot be loaded."""

    def __init__(self, folder: Path, settings: CandidateSettings) -> None:
        self._folder = folder
        self._settings = settings
        self.device = resolve_device(settings.device)
        dtype = autocast_dtype(settings.precision, self.device) or torch.float32
        try:
            self._model, self._tokenizer = load_language_model(
                str(folder), device=self.device, dtype=dtype, local_files_only=True
            )
        except Exception as error:  # A damaged folder may raise anything.
            raise UserError(f"cannot load the model in {folder}: {_said(error)}") from error
        for name, parameter in self._model.named_parameters():
            if not torch.isfinite(parameter).all():
                raise UserError(f"model {folder}: weight {name} holds NaN or infinite values")
        config = self._model.config.get_text_config()
        self._context: int | None = getattr(config, "max_position_embeddings", None)
        self._vocabulary: int = config.vocab_size
        self._stops = _stop_tokens(self._model.generation_config, self._tokenizer.eos_token_id)
        self._batches = Batches()
        self._stream: Callable[[str], Any] | None = None

    def answer(
        self, rows: Sequence[ChatRow], finished: Finished, *, seed: int, stream: Callable[[str], Any] | None = None
    ) -> None:
        """Answer all ``rows``; ``finished`` is told of them batch by batch, ``stream`` of pieces of a single one."""
        self._stream = stream if len(rows) == 1 else None
        prompts: dict[int, list[int]] = {}
        for index, row in enumerate(rows):
            prompt = self._encode(row)
            if isinstance(prompt, str):
                finished(row, Answered(None, error=prompt))
            else:
                prompts[index] = prompt
        for length, indices in self._by_room(prompts):
            for batch, answers in self._answer_all(rows, prompts, indices, length, seed):
                for index, answer in zip(batch, answers, strict=True):
                    finished(rows[index], answer)

    def _encode(self, row: ChatRow) -> list[int] | str:
        """The prompt's tokens, or why the model cannot be asked."""
        tools = list(row.tools) if row.tools else None
        try:
            encoded = self._tokenizer.apply_chat_template(
                list(row.messages), tools=tools, add_generation_prompt=True, return_dict=True
            )
        except Exception as error:  # A template is a program, and may raise anything.
            return f"the model's chat template fails: {_said(error)}"
        ids = list(encoded["input_ids"])
        if not ids:
            return "the prompt has no tokens"
        if self._context is not None and len(ids) >= self._context:
            return f"the prompt has {len(ids):,} tokens, and the model's context is {self._context:,}"
        if max(ids) >= self._vocabulary:
            return "the prompt has tokens that the tokenizer knows and the model does not"
        return ids

    def _by_room(self, prompts: dict[int, list[int]]) -> Iterator[tuple[int, list[int]]]:
        """How long answers may become, and the prompts of which that is true."""
        rooms: dict[int, list[int]] = {}
        for index, prompt in prompts.items():
            wanted = self._settings.max_new_tokens
            room = wanted if self._context is None else min(wanted, self._context - len(prompt))
            rooms.setdefault(room, []).append(index)
        yield from sorted(rooms.items(), reverse=True)

    def _answer_all(
        self, rows: Sequence[ChatRow], prompts: dict[int, list[int]], indices: list[int], length: int, seed: int
    ) -> Iterator[tuple[list[int], Sequence[Answered]]]:
        def answer(places: list[int]) -> list[Answered] | None:
            batch = [indices[place] for place in places]
            seeds = [int(sha256_text(f"{seed} {rows[i].digest}")[:15], 16) for i in batch]
            try:
                return fitting(lambda: self._generate([prompts[i] for i in batch], length, seeds), self.device)
            except RuntimeError as error:
                return [Answered(None, error=f"the model failed: {_said(error)}") for _ in batch]

        for places, answers in self._batches.of([len(prompts[i]) + length for i in indices], answer):
            error = f"the memory of {self.device} does not suffice for this one prompt"
            yield [indices[place] for place in places], answers or [Answered(None, error=error)]

    def _generate(self, prompts: Sequence[list[int]], length: int, seeds: Sequence[int]) -> list[Answered]:
        started = time.monotonic()
        how: dict[str, Any] = {}
        if self._settings.temperature:
            how["logits_processor"] = [Sampling(self._settings.temperature, seeds, self.device)]
        if self._stream is not None:
            how["streamer"] = Pieces(self._tokenizer, self._stream)
        ids, mask = left_padded(prompts, self.device)
        with torch.inference_mode():
            result = self._model.generate(ids, attention_mask=mask, generation_config=self._greedy(length), **how)
        seconds = time.monotonic() - started
        width = max(map(len, prompts))
        return [
            self._answered(len(prompt), row[width:].tolist(), seconds)
            for prompt, row in zip(prompts, result, strict=True)
        ]

    def _greedy(self, length: int) -> GenerationConfig:
        """The folder's own configuration (penalties, ...) but for what decides length and sampling."""
        config = GenerationConfig.from_dict(self._model.generation_config.to_dict())
        config.update(
            max_new_tokens=length,
            max_length=None,
            do_sample=False,
            num_beams=1,
            temperature=None,
            top_p=None,
            top_k=None,
            min_p=None,
            typical_p=None,
            eos_token_id=sorted(self._stops) or None,
            pad_token_id=0,
        )
        return config

    def _answered(self, tokens_in: int, ids: list[int], seconds: float) -> Answered:
        end = next((place for place, token in enumerate(ids) if token in self._stops), None)
        said = ids if end is None else ids[:end]
        return Answered(
            self._tokenizer.decode(said, skip_special_tokens=True),
            "length" if end is None else "stop",
            tokens_in,
            len(said) if end is None else end + 1,
            round(seconds, 3),
        )


class Pieces(TextStreamer):
    """Hands an answer on word by word."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, stream: Callable[[str], Any]) -> None:
        super().__init__(tokenizer, skip_prompt=True, skip_special_tokens=True)
        self._stream = stream

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        """A piece that further tokens cannot change."""
        if text:
            self._stream(text)


class Sampling(LogitsProcessor):
    """Makes the likeliest token a drawn one, with a generator of its own for each row.

    So what is drawn for a row depends on neither its batch nor a run before.

    The largest of logit / temperature + Gumbel noise is a draw from the softmax
    (E. J. Gumbel 1954, "Statistical Theory of Extreme Values"; C. J. Maddison
    et al. 2014, "A* Sampling", NeurIPS 27).
    """

    def __init__(self, temperature: float, seeds: Sequence[int], device: torch.device) -> None:
        self._temperature = temperature
        self._generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """``scores`` (rows x vocabulary) with noise of which the largest is a draw."""
        noisy = scores.float() / self._temperature
        for row, generator in enumerate(self._generators):
            noise = torch.empty_like(noisy[row]).exponential_(generator=generator)
            # The logarithm of a standard exponential, negated, is standard Gumbel.
            noisy[row] -= noise.log()
        return noisy


def _stop_tokens(config: GenerationConfig, fallback: int | None) -> set[int]:
    stops = config.eos_token_id if config.eos_token_id is not None else fallback
    return set(stops) if isinstance(stops, list) else {stops} if stops is not None else set()


def _said(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
