"""A conversation with a judge as token ids of a local model."""

from __future__ import annotations

import re
from typing import Any

from transformers import PreTrainedTokenizerBase

from evals.judges.base import JudgeFailure, Question
from fixtures.contracts.files import encodable

__all__ = ["Encoder"]


class Encoder:
    """Renders questions with the tokenizer's chat template, or as plain text where it has none."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, config: Any, answer: int) -> None:
        self.context: int | None = getattr(config, "max_position_embeddings", None)
        self._tokenizer = tokenizer
        self._vocabulary: int = config.vocab_size
        self._answer = answer
        control = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
        self._control = re.compile("|".join(map(re.escape, sorted(control, key=len, reverse=True))) or r"(?!)")

    def encode(self, question: Question) -> list[int]:
        """Token ids of ``question``. Raises JudgeFailure if it is too long: no part of it may be cut."""
        ids = self._ids([entry | {"content": self._harmless(entry["content"])} for entry in question.messages()])
        if self.context is not None and len(ids) + self._answer > self.context:
            raise JudgeFailure(
                f"the question has {len(ids)} tokens; the model's context of {self.context} has room for "
                f"{max(0, self.context - self._answer)} beside --judge-max-tokens {self._answer}"
            )
        if max(ids) >= self._vocabulary:
            raise JudgeFailure("the question has tokens that the tokenizer knows and the model does not")
        return ids

    def _ids(self, messages: list[dict[str, str]]) -> list[int]:
        if self._tokenizer.chat_template:
            try:
                # The schema has its own place for thoughts: the reason, before the score.
                encoded = self._tokenizer.apply_chat_template(
                    messages, add_generation_prompt=True, return_dict=True, enable_thinking=False
                )
            except Exception as error:  # A template is a program, and may raise anything.
                raise JudgeFailure(f"the model's chat template fails: {error}") from error
            return list(encoded["input_ids"])
        ids = list(self._tokenizer("\n\n".join(entry["content"] for entry in messages) + "\n")["input_ids"])
        # Some tokenizers end each text, but the answer is still to come.
        return ids[:-1] if len(ids) > 1 and ids[-1] == self._tokenizer.eos_token_id else ids

    def _harmless(self, text: str) -> str:
        """``text`` with control tokens pulled apart.

        A text under test that spells one out would otherwise end the user's
        turn, and speak as the judge.
        """
        return self._control.sub(lambda match: f"{match[0][0]} {match[0][1:]}", encodable(text))
