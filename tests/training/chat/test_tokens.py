"""Which tokens are learned, what the tokenizer loses, and what is cut."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.conversations.faults import in_words
from fixtures.conversations.files import read_chat_file
from tests.training.chat.conftest import FAMILIES, learned_tokenizer, read_rows, turns, write_rows
from training.causal.templates import choose_template
from training.causal.tokens import IGNORED, Row
from training.chat.cutting import cut
from training.chat.tokens import encode


def encoded(tmp_path, rows, family="gpt2", loss_on="assistant", tokenizer=None):
    tokenizer = tokenizer or learned_tokenizer(family)
    template, _ = choose_template(tokenizer, None)
    conversations = read_chat_file(write_rows(tmp_path / "rows.jsonl", rows)).conversations
    return tokenizer, template, encode(tokenizer, template, conversations, loss_on)


def learned(tokenizer, row):
    return tokenizer.decode([label for label in row.labels if label != IGNORED])


@pytest.mark.parametrize("family", [family for family in FAMILIES if family not in ("llama3.2", "gpt2")])
def test_the_labels_are_those_of_transformers_own_mask(tmp_path, family):
    rows = [{"messages": row["messages"][-2:]} for row in read_rows("train")]
    tokenizer, template, result = encoded(tmp_path, rows, family)

    assert len(result.rows) == len(rows)
    for row, ours in zip(rows, result.rows, strict=True):
        theirs = tokenizer.apply_chat_template(
            row["messages"], chat_template=template.marked, return_dict=True, return_assistant_tokens_mask=True
        )
        assert ours.ids == theirs["input_ids"]
        mask = theirs["assistant_masks"]
        assert ours.labels == [token if wanted else IGNORED for token, wanted in zip(ours.ids, mask, strict=True)]


def test_characters_of_several_tokens_are_learned_whole(tmp_path):
    # transformers' own mask ends at the first token of a character, here one of three.
    tokenizer, _, result = encoded(tmp_path, [turns("絵は?", "絵です")])

    assert learned(tokenizer, result.rows[0]) == "絵です<|endoftext|>"


word = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(str.strip)


@given(st.lists(st.tuples(word, word), min_size=1, max_size=3))
@settings(max_examples=40, deadline=None)
def test_whatever_is_said_the_answers_are_learned(tmp_path_factory, pairs):
    tokenizer, _, result = encoded(tmp_path_factory.getbasetemp(), [turns(*(text for pair in pairs for text in pair))])

    answers = "".join(answer + "<|endoftext|>" for _, answer in pairs)
    assert learned(tokenizer, result.rows[0]).endswith(answers[-40:])
    assert learned(tokenizer, result.rows[0]).count("<|endoftext|>") >= len(pairs)
    assert result.losses.share == 0


def test_with_the_loss_on_all_only_the_first_token_is_not_learned(tmp_path):
    _, _, result = encoded(tmp_path, [turns("a", "b")], loss_on="all")
    row = result.rows[0]

    assert row.labels == [IGNORED, *row.ids[1:]]


def muted(row, *turns_of_weight_0):
    weights = {number: {"weight": 0} for number in turns_of_weight_0}
    return {**row, "messages": [turn | weights.get(number, {}) for number, turn in enumerate(row["messages"])]}


ROUNDS = ("Which one?", "The blue one.", "Why that?", "It is new.", "And before?", "The red one.")


@pytest.mark.parametrize("turn", [1, 3, 5])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_turn_of_weight_0_is_read_and_not_learned(tmp_path, family, turn):
    row = turns(*ROUNDS)
    rows = [row, muted(row, turn), muted(row, *{1, 3, 5} - {turn})]
    tokenizer, _, result = encoded(tmp_path, rows, family)
    whole, others, only = result.rows

    assert whole.ids == others.ids == only.ids
    assert [said in learned(tokenizer, only) for said in ROUNDS] == [said == ROUNDS[turn] for said in ROUNDS]
    # Each token that is learned is so either where the others are mute, or where the turn is.
    assert [IGNORED if label != IGNORED else one for label, one in zip(only.labels, whole.labels, strict=True)] == (
        others.labels
    )

    everything = encoded(tmp_path, rows, family, "all", tokenizer)[2].rows[1]
    assert [place for place, label in enumerate(everything.labels) if label == IGNORED] == [
        0,
        *(place for place, label in enumerate(only.labels) if label != IGNORED),
    ]


def test_calls_of_weight_0_are_not_learned(tmp_path):
    call = {"type": "function", "function": {"name": "fly", "arguments": '{"height": 3}'}}
    row = {
        "messages": [
            {"role": "user", "content": "Up!"},
            {"role": "assistant", "content": "On my way.", "tool_calls": [call]},
            {"role": "tool", "content": "done"},
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "content": "done"},
            {"role": "assistant", "content": "We are up."},
        ],
        "tools": [{"type": "function", "function": {"name": "fly"}}],
    }
    tokenizer, _, result = encoded(tmp_path, [muted(row, 1), muted(row, 3), muted(row, 1, 3)], "qwen2")

    said = [learned(tokenizer, one) for one in result.rows]
    assert [text.count('"height": 3') for text in said] == [1, 1, 0]
    assert ["On my way." in text for text in said] == [False, True, False]
    assert all("We are up.<|im_end|>" in text for text in said)


def test_rows_that_the_template_cannot_take_are_told_by_line(tmp_path):
    rows = [turns("a", "b"), turns("a", "b", system="s"), turns("c", "d"), turns("c", "d", system="s")]
    _, _, result = encoded(tmp_path, rows, "gemma")

    assert [row.line for row in result.rows] == [1, 3]
    assert in_words(result.faults) == ["error: lines 2, 4 (2): the chat template refuses it: System role not supported"]


def test_a_template_that_leaves_out_calls_and_tools_is_an_error(tmp_path):
    row = {
        "messages": [
            {"role": "user", "content": "Up!"},
            {"role": "assistant", "tool_calls": [{"function": {"name": "fly", "arguments": "{}"}}]},
        ],
        "tools": [{"type": "function", "function": {"name": "fly"}}],
    }
    _, _, result = encoded(tmp_path, [row], "phi3")
    assert [fault.split(";")[0] for fault in in_words(result.faults)] == [
        "error: line 1: the chat template leaves out tool calls: the assistant would learn to say nothing",
        "error: line 1: the chat template leaves out the tools: the model would have to guess them",
    ]

    tokenizer, _, result = encoded(tmp_path, [row], "gpt2")
    assert result.faults == []
    assert learned(tokenizer, result.rows[0]) == '[{"name": "fly", "arguments": {}}]<|endoftext|>'


def test_a_tokenizer_that_drops_characters_is_found_out(tmp_path, shared_data):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(shared_data / "models" / "TinyStories-656K")
    _, _, result = encoded(tmp_path, [turns("Once あ upon", "い a time")], tokenizer=tokenizer)

    # The headings' signs are dropped as well.
    assert result.losses.lost == {"あ": 1, "い": 1, "#": 6}
    shown = "<|start_story|>###User:Onceあupon###Assistant:いatime<|end_story|>"
    assert result.losses.share == pytest.approx(8 / len(shown))
    # What is left is learned all the same, although the tokenizer's offsets are wrong after a dropped character.
    assert learned(tokenizer, result.rows[0]).strip() == "a time<|end_story|>"


def test_unknown_tokens_count_as_lost(tmp_path):
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(WordLevel({"<unk>": 0, "</s>": 1, "###": 2, "User:": 3, "Assistant:": 4, "yes": 5}, "<unk>"))
    words.pre_tokenizer = WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>", eos_token="</s>")
    _, _, result = encoded(tmp_path, [turns("why", "yes no yes")], tokenizer=tokenizer)

    assert result.losses.lost == {"w": 1, "h": 1, "y": 1, "n": 1, "o": 1}


def row(line, length, learned):
    return Row(line, list(range(length)), [IGNORED] * (length - learned) + [1] * learned)


def test_cutting_says_what_it_took():
    result = cut([row(1, 10, 5), row(2, 11, 5), row(3, 30, 5), row(4, 12, 5)], 10)

    assert [(len(one.ids), one.learned) for one in result.rows] == [(10, 5), (10, 4), (10, 3)]
    assert (result.dropped, result.tokens_lost) == (1, 3)
    assert (result.lengths.shortest, result.lengths.median, result.lengths.longest) == (10, 12, 30)
    assert in_words(result.faults) == [
        "warning: lines 2, 4 (2): longer than 10 tokens; its end is cut off",
        "warning: line 3: nothing to learn is left within 10 tokens; left out",
    ]


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=1), st.integers(8, 40))
def test_no_token_gets_lost_uncounted(sizes, limit):
    rows = [row(n, max(size), min(size)) for n, size in enumerate(sizes, 1)]
    result = cut(rows, limit)
    left_out = sum(len(one.ids) for one in rows if one.line not in {kept.line for kept in result.rows})

    assert result.tokens + result.tokens_lost + left_out == result.lengths.tokens
    assert all(0 < one.learned <= len(one.ids) <= limit for one in result.rows)
    assert len(result.rows) + result.dropped == len(rows)


def test_the_default_template_is_json_that_a_tokenizer_config_can_hold(tmp_path):
    tokenizer, _, _ = encoded(tmp_path, [turns("a", "b")])
    tokenizer.save_pretrained(tmp_path / "saved")

    assert (tmp_path / "saved" / "chat_template.jinja").read_text() == tokenizer.chat_template
    assert "chat_template" not in json.loads((tmp_path / "saved" / "tokenizer_config.json").read_text())
