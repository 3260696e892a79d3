"""What the assistant says is found in any template that lets it be told, and only that."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fixtures.contracts.errors import UserError
from tests.training.chat.conftest import FAMILIES, chat_template, learned_tokenizer, turns
from training.causal.templates import DEFAULT_TEMPLATE, TemplateRefused, choose_template, stop_tokens

TALK = turns("Do you sell maps?", "Yes, we do.", "Of Norway?", "  Of Norway, too.  ")["messages"]
TOOLS = [{"type": "function", "function": {"name": "fly", "parameters": {"type": "object"}}}]
CALLS = [
    {"role": "user", "content": "Up!"},
    {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "fly", "arguments": {"height": 3}}}]},
    {"role": "tool", "content": "done"},
    {"role": "assistant", "content": "We are up."},
]


def template_of(family, file=None):
    return choose_template(learned_tokenizer(family), file)[0]


def said(rendered):
    return [rendered.text[start:end] for start, end in rendered.spans]


@pytest.mark.parametrize("family", FAMILIES)
def test_all_that_the_assistant_says_is_marked_and_nothing_else(family):
    spans = said(template_of(family).render(TALK))

    assert [text for text in spans if "Yes, we do." in text]
    assert [text for text in spans if "Of Norway, too." in text]
    assert not [text for text in spans if "Do you" in text or "Of Norway?" in text or "user" in text]


@pytest.mark.parametrize("family", ["phi3", "llama", "gemma"])
def test_comparison_finds_what_marks_mark(family):
    template = template_of(family)
    marked, compared = template.render(TALK), replace(template, marked=None).render(TALK)

    assert compared.text == marked.text
    # Phi-3.5's variant parts the last answer and the end of the text.
    assert "".join(said(compared)) == "".join(said(marked))


def test_the_template_for_models_without_one():
    tokenizer = learned_tokenizer()
    template, note = choose_template(tokenizer, None)

    assert "has no chat template" in note
    assert tokenizer.chat_template == DEFAULT_TEMPLATE.read_text()
    rendered = template.render([{"role": "system", "content": "Be brief."}, *TALK[:2]])
    end = tokenizer.eos_token
    assert rendered.text == (
        f"{end}### System:\nBe brief.\n\n### User:\nDo you sell maps?\n\n### Assistant:\nYes, we do.{end}\n\n"
    )
    assert said(rendered) == [f"Yes, we do.{end}"]
    assert template.text(TALK[:1], prompt=True).endswith("### User:\nDo you sell maps?\n\n### Assistant:\n")


def test_the_default_template_shows_tools_and_calls():
    rendered = template_of("gpt2").render(CALLS, TOOLS)

    assert '### Tools:\n[{"type": "function", "function": {"name": "fly"' in rendered.text
    assert said(rendered)[0] == '[{"name": "fly", "arguments": {"height": 3}}]<|endoftext|>'
    assert "### Tool:\ndone\n\n" in rendered.text


def test_a_template_without_marks_that_trl_does_not_know():
    template = template_of("llama3.2")

    assert template.marked is None
    assert said(template.render(TALK)) == ["Yes, we do.<|eot_id|>", "Of Norway, too.<|eot_id|>"]


def test_a_template_that_rewrites_earlier_turns_is_refused_without_marks():
    template = replace(template_of("qwen3"), marked=None)

    with pytest.raises(TemplateRefused, match="writes earlier turns differently once others follow"):
        template.render(TALK)


def test_a_template_says_why_it_refuses():
    with pytest.raises(TemplateRefused, match="the chat template refuses it: System role not supported"):
        template_of("gemma").render([{"role": "system", "content": "Be brief."}, *TALK])


def test_a_given_template_is_used_and_goes_with_the_model(tmp_path):
    file = tmp_path / "own.jinja"
    file.write_text(chat_template("llama3"))
    tokenizer = learned_tokenizer("phi3")
    template, note = choose_template(tokenizer, file)

    assert note is None
    assert tokenizer.chat_template == template.saved == chat_template("llama3")


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_template_that_cannot_be_read(tmp_path, content):
    file = tmp_path / "own.jinja"
    if content:
        file.write_bytes(content)

    with pytest.raises(UserError, match=r"cannot read --chat-template .*own\.jinja: "):
        choose_template(learned_tokenizer(), file)


def test_a_template_that_is_none(tmp_path):
    file = tmp_path / "own.jinja"
    file.write_text("{% for message in %}")

    with pytest.raises(TemplateRefused, match="the chat template refuses it: "):
        template_of("gpt2", file).render(TALK)


def test_no_template_and_no_end_token():
    tokenizer = learned_tokenizer()
    tokenizer.eos_token = None

    with pytest.raises(UserError, match="neither a chat template nor a token that ends a text; give a --chat-template"):
        choose_template(tokenizer, None)


def test_a_template_without_an_end_of_answers(tmp_path):
    file = tmp_path / "own.jinja"
    file.write_text("{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}")
    tokenizer = learned_tokenizer()

    assert stop_tokens(tokenizer, choose_template(tokenizer, file)[0]) == []
