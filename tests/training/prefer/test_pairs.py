"""Which forms are read, what is wrong with a file, and how pairs become tokens."""

from __future__ import annotations

import pytest

from fixtures.conversations.faults import in_words
from tests.training.chat.conftest import FAMILIES, learned_tokenizer, write_rows
from training.causal.templates import choose_template
from training.prefer.pairs import read_pairs
from training.prefer.tokens import encode

USER = {"role": "user", "content": "Do you sell maps?"}
YES = {"role": "assistant", "content": "Yes, we do."}
NO = {"role": "assistant", "content": "No."}

FORMS = {
    "texts": {"prompt": "Do you sell maps?", "chosen": "Yes, we do.", "rejected": "No."},
    "turns": {"prompt": [USER], "chosen": [YES], "rejected": [NO]},
    "mixed": {"prompt": [USER], "chosen": "Yes, we do.", "rejected": "No."},
    "no prompt": {"chosen": [USER, YES], "rejected": [USER, NO]},
    "prompt repeated": {"prompt": "Do you sell maps?", "chosen": [USER, YES], "rejected": [USER, NO]},
    "OpenAI's": {"input": {"messages": [USER]}, "preferred_output": [YES], "non_preferred_output": [NO]},
}


def faults(tmp_path, *rows):
    return in_words(read_pairs(write_rows(tmp_path / "pairs.jsonl", rows)).faults)


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_the_same_pair(tmp_path, form):
    file = read_pairs(write_rows(tmp_path / "pairs.jsonl", [FORMS[form], {**FORMS[form], "score": 3}]))
    first, second = file.pairs

    assert (first.prompt, first.chosen, first.rejected, first.tools) == ([USER], YES, NO, None)
    assert first.digest == second.digest
    assert in_words(file.faults) == ["warning: line 2: the same as an earlier line"]


def test_all_faults_of_a_file_are_found_at_once(tmp_path):
    system = {"role": "system", "content": "Be brief."}
    rows = [
        FORMS["turns"],
        {"prompt": "x", "chosen": "the same", "rejected": "the same"},
        {"prompt": "x", "chosen": " ", "rejected": "no"},
        {"prompt": "x", "chosen": "yes"},
        {"question": "x", "chosen": "yes", "rejected": "no"},
        {"prompt": [{"content": "x"}], "chosen": "yes", "rejected": "no"},
        {"prompt": [USER], "chosen": [{"content": "yes"}], "rejected": [NO]},
        {"prompt": [USER], "chosen": [YES, YES], "rejected": [NO]},
        {"prompt": [USER], "chosen": [system, USER, YES], "rejected": [NO]},
        {"chosen": [USER, YES], "rejected": [{**USER, "content": "Other?"}, NO]},
        {"prompt": [USER, YES], "chosen": [YES], "rejected": [NO]},
        {"prompt": [USER], "chosen": [NO], "rejected": [YES]},
        {"prompt": [USER], "chosen": 3, "rejected": [YES]},
        {"input": [USER], "preferred_output": [YES], "non_preferred_output": [NO]},
        b"{",
    ]
    assert faults(tmp_path, *rows) == [
        "error: line 2: chosen and rejected are the same: nothing is preferred to anything",
        "error: line 3: chosen: a turn of the assistant is empty",
        'error: line 4: no "rejected"; it has prompt, chosen',
        'error: line 5: no "prompt": what was asked?',
        "error: line 6: a turn has no role",
        "error: line 7: chosen: a turn has no role",
        "error: line 8: chosen has 2 turns of the assistant; one answer is compared with one other",
        "error: line 9: chosen does not begin with the prompt, and is more than one turn of the assistant",
        "error: line 10: chosen and rejected answer different prompts: all but their last turns must be the same",
        "error: line 11: the prompt ends with a turn of the assistant: there is nothing to answer",
        "error: line 12: contradicts line 1: the same two answers the other way round; keep one",
        'error: line 13: "chosen" is neither a text nor a list of turns',
        'error: line 14: OpenAI\'s form without {"input": {"messages": [...]}}',
        "error: line 15: not JSON: Expecting property name enclosed in double quotes at column 2",
    ]


def encoded(tmp_path, rows, family="gpt2", max_length=200):
    tokenizer = learned_tokenizer(family)
    template, _ = choose_template(tokenizer, None)
    pairs = read_pairs(write_rows(tmp_path / "pairs.jsonl", rows)).pairs
    return tokenizer, template, encode(tokenizer, template, pairs, max_length)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_tokens_are_those_of_the_template_and_answers_begin_where_the_prompt_ends(tmp_path, family):
    tokenizer, template, part = encoded(tmp_path, [FORMS["turns"]], family)
    (row,) = part.rows

    assert row.prompt == tokenizer(template.text([USER], prompt=True), add_special_tokens=False)["input_ids"]
    for answer, ids in ((YES, row.chosen), (NO, row.rejected)):
        whole = tokenizer(template.text([USER, answer]), add_special_tokens=False)["input_ids"]
        assert row.prompt + ids == whole
        assert answer["content"] in tokenizer.decode(ids)


def test_what_does_not_fit_is_cut_and_told(tmp_path):
    long = "word " * 100
    rows = [
        {"prompt": "a?", "chosen": "yes", "rejected": "no"},
        {"prompt": "b?", "chosen": long, "rejected": "no"},
        {"prompt": "c?", "chosen": long + "yes", "rejected": long + "no"},
        {"prompt": long, "chosen": "yes", "rejected": "no"},
    ]
    _, _, part = encoded(tmp_path, rows, max_length=40)

    assert [row.line for row in part.rows] == [1, 2]
    assert max(row.size for row in part.rows) == 40
    assert part.dropped == 2
    assert part.tokens_lost == part.sizes[1] - 40
    assert in_words(part.faults) == [
        "warning: line 2: longer than 40 tokens; the end of an answer is cut off",
        "warning: lines 3-4 (2): no difference is left within 40 tokens; left out",
    ]


def test_a_difference_that_the_model_does_not_see(tmp_path):
    # Gemma's template takes blanks off both ends.
    _, _, part = encoded(tmp_path, [{"prompt": "a?", "chosen": "yes", "rejected": " yes "}], "gemma")

    assert part.rows == []
    assert in_words(part.faults) == [
        "error: line 1: chosen and rejected are the same to this model: it sees no difference"
    ]


def test_a_template_that_refuses_a_prompt(tmp_path):
    system = {"role": "system", "content": "Be brief."}
    _, _, part = encoded(tmp_path, [{"prompt": [system, USER], "chosen": [YES], "rejected": [NO]}], "gemma")

    assert in_words(part.faults) == ["error: line 1: the chat template refuses it: System role not supported"]
