"""Questions to a causal language model in this process, many at a time.

It imports PyTorch, so it is imported only when there is something to ask.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import torch
from transformers import GenerationConfig

from evals.judges.base import JudgeFailure, JudgeUnavailable, Question, Reply
from evals.judges.checkpoints import Checkpoint
from evals.judges.constrained import Constraint, Finished, Grammar, Row
from evals.judges.encoding import Encoder
from evals.judges.spellings import answer_tokens
from evals.language_models import Batches, fitting, left_padded, load_language_model
from fixtures.contracts.errors import UserError
from fixtures.contracts.inference import resolve_device

__all__ = ["LocalModel"]


class LocalModel:
    """A causal language model with its tokenizer, loaded when it is made.

    Raises JudgeUnavailable when it cannot be loaded or cannot write JSON.
    """

    def __init__(self, checkpoint: Checkpoint, *, temperature: float, max_tokens: int) -> None:
        source, dtype = checkpoint.source, checkpoint.dtype
        try:
            self.device = resolve_device(checkpoint.device)
            self._model, tokenizer = load_language_model(
                source,
                device=self.device,
                dtype=getattr(torch, dtype),
                revision=checkpoint.revision,
                local_files_only=checkpoint.local,
            )
            # The model's own defaults (top_p, repetition penalties, ...) would bend the probabilities.
            self._model.generation_config = GenerationConfig()
            config = self._model.config.get_text_config()
            self._grammar = Grammar(tokenizer, config.vocab_size)
            self._encoder = Encoder(tokenizer, config, max_tokens)
        except UserError as error:
            raise JudgeUnavailable(f"--judge-device {checkpoint.device} is not available here; use cpu") from error
        except Exception as error:  # A damaged folder may raise anything.
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise JudgeUnavailable(f"model {source} cannot be used as a judge: {reason}") from error
        self._temperature = temperature
        self._max_tokens = max_tokens
        self._batches = Batches()
        self.notes = (
            f"{dtype} on {self.device}",
            f"{self._model.num_parameters():,} parameters",
            f"a context of {self._encoder.context or 'any number of'} tokens",
        )

    def answer(self, questions: Sequence[Question], stop: threading.Event) -> list[Reply | JudgeFailure]:
        """A reply or a failure for each question, in their order. Raises Stopped once ``stop`` is set."""
        results: dict[int, Reply | JudgeFailure] = {}
        prompts: dict[int, list[int]] = {}
        for index, question in enumerate(questions):
            try:
                prompts[index] = self._encoder.encode(question)
            except JudgeFailure as failure:
                results[index] = failure
        indices = list(prompts)

        def answer(places: list[int]) -> list[Reply | JudgeFailure] | None:
            batch = [indices[place] for place in places]
            return self._answer_batch([questions[i] for i in batch], [prompts[i] for i in batch], stop)

        for places, replies in self._batches.of([len(prompts[i]) + self._max_tokens for i in indices], answer):
            if replies is None:
                message = f"the memory of {self.device} does not suffice for this one question"
                results[indices[places[0]]] = JudgeFailure(message)
            else:
                results.update(zip((indices[place] for place in places), replies, strict=True))
        return [results[index] for index in range(len(questions))]

    def _answer_batch(
        self, questions: Sequence[Question], prompts: Sequence[list[int]], stop: threading.Event
    ) -> list[Reply | JudgeFailure] | None:
        """The replies, or None if the batch does not fit into memory."""
        started = time.monotonic()

        def run() -> list[Reply | JudgeFailure]:
            rows = [
                Row(
                    self._grammar,
                    question.schema,
                    length=self._max_tokens,
                    temperature=self._temperature,
                    seed=question.seed,
                    logprobs=question.logprobs,
                )
                for question in questions
            ]
            self._generate(
                prompts,
                self._max_tokens,
                logits_processor=[Constraint(rows, stop)],
                stopping_criteria=[Finished(rows)],
            )
            seconds = time.monotonic() - started
            return [self._reply(*each, seconds) for each in zip(questions, prompts, rows, strict=True)]

        try:
            return fitting(run, self.device)
        except RuntimeError as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            return [JudgeFailure(f"the model failed: {reason}") for _ in questions]

    def _reply(self, question: Question, prompt: list[int], row: Row, seconds: float) -> Reply | JudgeFailure:
        if row.problem:
            return JudgeFailure(f"the model gives no answer: {row.problem}")
        tokens = None
        if question.logprobs:
            tokens = answer_tokens(
                self._grammar, question.schema, row, lambda answer: self._next_logits([*prompt, *answer])
            )
        return Reply(
            self._grammar.spelled(row.tokens),
            tokens_in=len(prompt),
            tokens_out=len(row.tokens),
            tokens=tokens,
            seconds=seconds,
            cut=not row.complete,
        )

    def _next_logits(self, ids: list[int]) -> torch.Tensor:
        result = self._generate([ids], 1, output_logits=True, return_dict_in_generate=True)
        logits: torch.Tensor = result.logits[0][0].float().cpu()
        return logits

    def _generate(self, prompts: Sequence[list[int]], length: int, **how: Any) -> Any:
        ids, mask = left_padded(prompts, self.device)
        with torch.inference_mode():
            return self._model.generate(ids, attention_mask=mask, max_new_tokens=length, do_sample=False, **how)
