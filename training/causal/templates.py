"""How a conversation becomes text, and which of the text the assistant says.

That is written in a chat template, which comes with the model. ``{% generation
%}`` marks in it what the assistant says. Few models' templates have the marks.
trl knows those of many families and has variants with marks for them; of any
other template it is found out by comparison: what is added to a conversation
when the assistant has spoken is what it said.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import TemplateError
from transformers.utils.chat_template_utils import render_jinja_template
from trl import get_training_chat_template
from trl.chat_template_utils import has_generation_markers

from fixtures.contracts.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["ChatTemplate", "Messages", "Rendered", "TemplateRefused", "choose_template", "stop_tokens"]

DEFAULT_TEMPLATE = Path(__file__).with_name("default_template.jinja")

Messages = list[dict[str, Any]]


class TemplateRefused(Exception):
    """A template cannot take a conversation; the message says why."""


class Rendered(NamedTuple):
    """A conversation as text; ``spans`` are the parts that the assistant says, by character."""

    text: str
    spans: list[tuple[int, int]]


@dataclass(frozen=True)
class ChatTemplate:
    """``saved`` is the template that goes with the model, ``marked`` its variant with marks where there is one."""

    saved: str
    marked: str | None
    special_tokens: dict[str, str]

    def text(self, messages: Messages, tools: list[Any] | None = None, *, prompt: bool = False) -> str:
        """A conversation as text, by the saved template; ``prompt`` ends it where the assistant is to speak."""
        return str(self._rendered(self.saved, messages, tools, add_generation_prompt=prompt)[0])

    def render(self, messages: Messages, tools: list[Any] | None = None) -> Rendered:
        """A conversation and what the assistant says in it. Raises TemplateRefused when that cannot be said."""
        if self.marked is None:
            return self._compared(messages, tools)
        return Rendered(*self._rendered(self.marked, messages, tools, return_assistant_tokens_mask=True))

    def _compared(self, messages: Messages, tools: list[Any] | None) -> Rendered:
        text = self.text(messages, tools)
        spans = []
        for number, turn in enumerate(messages):
            if turn["role"] != "assistant":
                continue
            before = self.text(messages[:number], tools, prompt=True)
            after = self.text(messages[: number + 1], tools)
            if not text.startswith(after):
                # Some close a whole conversation with one more token.
                after = after.removesuffix(self.special_tokens.get("eos_token", ""))
            if not (text.startswith(before) and text.startswith(after)):
                raise TemplateRefused(
                    "the chat template writes earlier turns differently once others follow, so what the assistant "
                    "says cannot be told apart; mark it with {% generation %} in a --chat-template, or use "
                    "--loss-on all"
                )
            spans.append((len(before), len(after)))
        return Rendered(text, spans)

    def _rendered(self, template: str, messages: Messages, tools: list[Any] | None, **options: Any) -> Any:
        try:
            texts, spans = render_jinja_template(
                conversations=[messages], tools=tools, chat_template=template, **self.special_tokens, **options
            )
        except (TemplateError, TypeError, ValueError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise TemplateRefused(f"the chat template refuses it: {reason}") from error
        return texts[0], spans[0] if spans else []


def choose_template(tokenizer: PreTrainedTokenizerBase, file: Path | None) -> tuple[ChatTemplate, str | None]:
    """The template in ``file``, or the tokenizer's own, or a plain one, given to the tokenizer; and a note.

    Raises UserError for a file that cannot be read, and for a model that has
    no template and no end token for the plain one.
    """
    note = None
    if file is not None:
        saved = _read(file)
    elif tokenizer.chat_template:
        own = tokenizer.chat_template
        saved = own["default"] if isinstance(own, dict) else own
    elif tokenizer.eos_token is None:
        raise UserError(
            "the base model has neither a chat template nor a token that ends a text; give a --chat-template"
        )
    else:
        saved = DEFAULT_TEMPLATE.read_text(encoding="utf-8")
        note = "the base model has no chat template; a plain one with headings is used, and saved with the model"
    tokenizer.chat_template = saved
    return ChatTemplate(saved, _with_marks(tokenizer, saved), dict(tokenizer.special_tokens_map)), note


def stop_tokens(tokenizer: PreTrainedTokenizerBase, template: ChatTemplate) -> list[int]:
    """The special tokens with which the template ends an answer."""
    answer = "answer"
    try:
        text = template.text([{"role": "user", "content": "question"}, {"role": "assistant", "content": answer}])
    except TemplateRefused:
        return []
    ids = tokenizer(text[text.rfind(answer) + len(answer) :], add_special_tokens=False)["input_ids"]
    special = {*tokenizer.all_special_ids, *tokenizer.get_added_vocab().values()}
    return [token for token in dict.fromkeys(ids) if token in special]


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read --chat-template {file}: {getattr(error, 'strerror', None) or error}") from error


def _with_marks(tokenizer: PreTrainedTokenizerBase, template: str) -> str | None:
    if has_generation_markers(template):
        return template
    try:
        variant: str | None = get_training_chat_template(tokenizer)
    except (ValueError, TemplateError):
        return None
    return variant
