"""Every fault of a file is told at once, with its line, and what is no fault is taken."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.contracts.errors import UserError
from tests.training.chat.conftest import turns, write_rows
from training.chat.faults import Fault, in_words, line_ranges
from training.chat.files import read_chat_file

GOOD = turns("Hello?", "Good day!")
CALL = {"type": "function", "function": {"name": "fly", "arguments": '{"height": 3}'}}
TOOL = {"type": "function", "function": {"name": "fly", "parameters": {}}}


def said(*messages):
    return {"messages": [{"role": role, "content": content} for role, content in messages]}


def messages_of(row, tmp_path):
    file = read_chat_file(write_rows(tmp_path / "one.jsonl", [row]))
    assert file.faults == []
    return file.conversations[0].messages


def faults_of(row, tmp_path):
    file = read_chat_file(write_rows(tmp_path / "one.jsonl", [GOOD, row, GOOD | {"n": 1}]))
    return [(fault.line, fault.what) for fault in file.errors]


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (b'{"messages": [', "not JSON: Expecting value at column 15"),
        (b'{"messages": "\xe3\x81"}', "not UTF-8: byte 0xe3 at position 15"),
        (b"[" * 100_000, "not JSON that can be read: "),
        ([GOOD], 'not an object with "messages"'),
        ({"text": "Hello"}, 'no "messages"; it has text'),
        ({"prompt": "a", "completion": "b"}, "the old form of prompt and completion; write "),
        ({"conversations": [{"from": "human", "value": "a"}]}, 'the form of ShareGPT; write "messages" for '),
        ({"messages": "Hello"}, '"messages" is not a list of turns'),
        ({"messages": []}, '"messages" is not a list of turns'),
        ({"messages": ["Hello"]}, "a turn is not an object with role and content"),
        (said(("human", "a"), ("assistant", "b")), 'unknown role "human" (a name of ShareGPT\'s); write user'),
        (said(("user", "a"), ("gpt", "b")), 'unknown role "gpt" (a name of ShareGPT\'s); write assistant'),
        (said(("user", "a"), ("bard", "b")), 'unknown role "bard": system, user, assistant, tool'),
        ({"messages": [{"content": "a"}]}, "a turn has no role"),
        (said(("system", "x"), ("system", "y"), ("user", "a"), ("assistant", "b")), "two system turns"),
        (said(("user", "a"), ("system", "x"), ("assistant", "b")), "the system turn is not the first"),
        (said(("system", "x"), ("assistant", "b")), "no user turn: there is nothing to answer"),
        (
            said(("assistant", "b"), ("user", "a"), ("assistant", "b")),
            "the assistant speaks first; a conversation begins with the user",
        ),
        (said(("user", "a")), "no assistant turn: there is nothing to learn"),
        (
            said(("user", "a"), ("assistant", "b"), ("user", "c")),
            "the last turn is the user's, without an answer of the assistant",
        ),
        (said(("user", "a"), ("assistant", " \n")), "a turn of the assistant is empty"),
        (said(("user", None), ("assistant", "b")), "a turn of the user is empty"),
        (said(("user", ["a"]), ("assistant", "b")), "the content of a turn is not text but a list"),
        (said(("user", "a"), ("tool", "b"), ("assistant", "c")), "a tool answers without having been called"),
        (
            {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "tool_calls": [{"name": "fly"}]}]},
            'a tool call is not {"type": "function", "function": {"name": ..., "arguments": ...}}',
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": "a"},
                    {"role": "assistant", "tool_calls": [{"function": {"name": "fly", "arguments": "{"}}]},
                ]
            },
            "the arguments of a tool call are not a JSON object",
        ),
        (GOOD | {"tools": {"name": "fly"}}, '"tools" is not a list'),
        (GOOD | {"tools": [{"name": "fly"}]}, 'a tool is not {"type": "function", "function": {"name": ...}}'),
    ],
)
def test_a_fault_is_told_with_its_line(tmp_path, row, what):
    assert [(line, said[: len(what)]) for line, said in faults_of(row, tmp_path)] == [(2, what)]


def test_all_faults_of_a_row_are_told(tmp_path):
    row = said(("system", "x"), ("system", ""), ("assistant", "b"), ("tool", "c"))

    assert {what for _, what in faults_of(row, tmp_path)} == {
        "a turn of the system is empty",
        "two system turns",
        "no user turn: there is nothing to answer",
        "the last turn is the tool's, without an answer of the assistant",
        "a tool answers without having been called",
    }


@pytest.mark.parametrize(
    "row",
    [
        GOOD,
        turns("a", "b", "c", "d", system="Be brief."),
        GOOD | {"prompt": "an extra key", "id": 7},
        {
            "messages": [{"role": "user", "content": "up!"}, {"role": "assistant", "tool_calls": [CALL]}],
            "tools": [TOOL],
        },
        {
            "messages": [
                {"role": "user", "content": "up!"},
                {"role": "assistant", "content": None, "tool_calls": [CALL]},
                {"role": "tool", "content": ""},
                {"role": "assistant", "content": "We are up."},
            ]
        },
    ],
)
def test_what_is_no_fault(tmp_path, row):
    assert faults_of(row, tmp_path) == []


def test_bytes_before_between_and_after_the_rows_that_are_no_fault(tmp_path):
    row = json.dumps(GOOD).encode()
    path = tmp_path / "one.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + row + b"\r\n\n  \n" + row)
    file = read_chat_file(path)

    assert file.errors == []
    assert [conversation.line for conversation in file.conversations] == [1, 4]


def test_an_empty_file(tmp_path):
    assert in_words(read_chat_file(write_rows(tmp_path / "none.jsonl", [b"", b" "])).faults) == [
        "error: the file is empty"
    ]


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match=r"cannot read .*nowhere\.jsonl: No such file"):
        read_chat_file(tmp_path / "nowhere.jsonl")


def test_repeated_rows_are_a_warning_whatever_else_they_hold(tmp_path):
    file = read_chat_file(write_rows(tmp_path / "two.jsonl", [GOOD, turns("a", "b"), GOOD | {"id": 2}, GOOD]))

    assert in_words(file.faults) == ["warning: lines 3-4 (2): the same as an earlier line"]
    assert len(file.conversations) == 4


def test_the_calls_of_a_tool_come_to_the_template_as_objects(tmp_path):
    row = {"messages": [{"role": "user", "content": "up!"}, {"role": "assistant", "tool_calls": [CALL]}]}
    answer = messages_of(row, tmp_path)[1]

    # A template would write None for content that is not there.
    assert answer["content"] == ""
    assert answer["tool_calls"][0]["function"] == {"name": "fly", "arguments": {"height": 3}}


def test_half_of_a_character_is_replaced_and_told(tmp_path):
    file = read_chat_file(write_rows(tmp_path / "one.jsonl", [json.dumps(turns("\ud83d?", "b")).encode()]))

    assert in_words(file.faults) == [
        "warning: line 1: holds half of a character (a lone surrogate), which becomes U+FFFD"
    ]
    assert file.conversations[0].messages[0]["content"] == "\ufffd?"


@given(st.lists(st.integers(1, 300), min_size=1, unique=True).map(sorted))
def test_line_ranges_name_each_line_once(lines):
    text, _, _ = line_ranges(lines).removeprefix("lines ").removeprefix("line ").partition(":")
    named = []
    for part in text.split(" (")[0].split(", "):
        first, _, last = part.partition("-")
        named += range(int(first), int(last or first) + 1)
    assert named == lines


def test_lines_with_the_same_fault_share_a_sentence():
    faults = [
        Fault(9, "b", warning=True),
        *(Fault(line, "a") for line in (7, 3, 4)),
        Fault(None, "whole"),
        Fault(1, "c"),
    ]

    assert in_words(faults) == ["error: whole", "error: line 1: c", "error: lines 3-4, 7 (3): a", "warning: line 9: b"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["role", "content", "x"]), inner),
    max_leaves=8,
)
rows = st.fixed_dictionaries({"messages": json_values}, optional={"tools": json_values, "prompt": json_values})


@given(st.lists(rows | json_values | st.binary(max_size=20).filter(lambda raw: b"\n" not in raw), max_size=5))
def test_no_content_makes_reading_fail(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_bytes(b"\n".join(row if isinstance(row, bytes) else json.dumps(row).encode() for row in content))
    file = read_chat_file(path)

    assert len({fault.line for fault in file.errors if fault.line}) + len(file.conversations) == file.rows


@pytest.mark.parametrize(
    ("name", "rows", "faults"),
    [
        ("advertising-multiturn-bom", 14, []),
        ("azure-qa-train", 390, []),
        ("drone-tool-calls", 103, []),
        ("support-ja-training_data", 20, []),
        ("toy-faulty", 5, ["error: line 4: no user turn: there is nothing to answer"]),
        ("legacy-prompt-completion", 50, ["error: lines 1-50 (50): the old form of prompt and completion"]),
        ("azure-qa-duplicates", 1068, ["warning: lines 21, 89-90, "]),
    ],
)
def test_real_files(shared_data, name, rows, faults):
    file = read_chat_file(shared_data / "chat" / f"{name}.jsonl")

    assert file.rows == rows
    assert [said[: len(what)] for said, what in zip(in_words(file.faults), faults, strict=True)] == faults
