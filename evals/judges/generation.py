"""Questions to a causal language model in this process, many at a time.

It imports PyTorch, so it is imported only when there is something to ask.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Sequence
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig
from transformers.utils import logging as transformers_logging

from evals.judges.base import JudgeFailure, JudgeUnavailable, Question, Reply
from evals.judges.checkpoints import Checkpoint
from evals.judges.constrained import Constraint, Finished, Grammar, Row
from evals.judges.encoding import Encoder
from evals.judges.spellings import answer_tokens
from fixtures.contracts.errors import UserError
from fixtures.contracts.inference import resolve_device, token_budget_batches

__all__ = ["LocalModel"]

TOKENS_AT_ONCE = 16_384
"""Of questions and answers in one batch, padding included; less once memory has run out."""


class LocalModel:
    """A causal language model with its tokenizer, loaded when it is made.

    Raises JudgeUnavailable when it cannot be loaded or cannot write JSON.
    """

    def __init__(self, checkpoint: Checkpoint, *, temperature: float, max_tokens: int) -> None:
        # What is wrong is said by us, in one line; its own bar would stand across ours.
        transformers_logging.set_verbosity_error()
        transformers_logging.disable_progress_bar()
        source, dtype = checkpoint.source, checkpoint.dtype
        where: dict[str, Any] = {"revision": checkpoint.revision, "local_files_only": checkpoint.local}
        try:
            self.device = resolve_device(checkpoint.device)
            tokenizer = AutoTokenizer.from_pretrained(source, **where)
            self._model, info = AutoModelForCausalLM.from_pretrained(
                source, dtype=getattr(torch, dtype), output_loading_info=True, **where
            )
            # transformers fills what is missing with random numbers.
            if missing := sorted(info["missing_keys"]):
                raise ValueError(f"{len(missing)} of its weights are missing, {missing[0]} among them")
            self._model.to(self.device).eval()
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
        self._at_once = TOKENS_AT_ONCE
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
        sizes = [len(prompts[index]) + self._max_tokens for index in indices]
        batches = [[indices[place] for place in batch] for batch in token_budget_batches(sizes, self._at_once)]
        while batches:
            batch = batches.pop(0)
            replies = self._answer_batch([questions[i] for i in batch], [prompts[i] for i in batch], stop)
            if replies is not None:
                results.update(zip(batch, replies, strict=True))
            elif len(batch) == 1:
                results[batch[0]] = JudgeFailure(f"the memory of {self.device} does not suffice for this one question")
            else:
                half = (len(batch) + 1) // 2
                self._at_once = half * (max(len(prompts[i]) for i in batch) + self._max_tokens)
                batches[:0] = [batch[:half], batch[half:]]
        return [results[index] for index in range(len(questions))]

    def _answer_batch(
        self, questions: Sequence[Question], prompts: Sequence[list[int]], stop: threading.Event
    ) -> list[Reply | JudgeFailure] | None:
        """The replies, or None if the batch does not fit into memory."""
        started = time.monotonic()
        try:
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
        except (RuntimeError, MemoryError) as error:
            if not _is_out_of_memory(error):
                reason = (str(error).strip() or type(error).__name__).splitlines()[0]
                return [JudgeFailure(f"the model failed: {reason}") for _ in questions]
        # Outside the handler, where the error no longer holds on to the tensors.
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return None

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
        width = max(len(prompt) for prompt in prompts)
        # On the left, so that all answers begin at one place; what it is padded with is masked out.
        ids = torch.zeros((len(prompts), width), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for line, prompt in enumerate(prompts):
            ids[line, width - len(prompt) :] = torch.tensor(prompt)
            mask[line, width - len(prompt) :] = 1
        with torch.inference_mode():
            return self._model.generate(
                ids.to(self.device), attention_mask=mask.to(self.device), max_new_tokens=length, do_sample=False, **how
            )


def _is_out_of_memory(error: Exception) -> bool:
    # On a CPU PyTorch raises a plain RuntimeError.
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "allocate memory" in str(error)
