"""Which texts are found, what is wrong with them, and how they become rows."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.contracts.errors import UserError
from fixtures.conversations.faults import in_words
from tests.training.chat.conftest import learned_tokenizer
from training.causal.tokens import IGNORED
from training.pretrain.documents import Document, find_files, read_documents
from training.pretrain.pieces import in_pieces


def documents(*texts):
    return [Document(number, text, text) for number, text in enumerate(texts, 1)]


def test_a_folder_is_searched_in_a_fixed_order_and_what_is_no_text_is_named(tmp_path):
    for name in ("b/2.md", "b/1.TXT", "a.jsonl", "picture.png", "README", ".git/config.txt", "b/.hidden.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    files, notes = find_files([str(tmp_path), str(tmp_path / "a.jsonl")])

    assert [file.relative_to(tmp_path).as_posix() for file in files] == ["a.jsonl", "b/1.TXT", "b/2.md"]
    assert notes == [f"{tmp_path}: 2 files of other kinds left out (.png, no ending)"]


def test_a_folder_without_text(tmp_path):
    with pytest.raises(UserError, match=r"holds no text: no \.txt, \.text, \.md, \.jsonl, \.ndjson file"):
        find_files([str(tmp_path)])


def test_all_faults_of_a_file_are_found_at_once(tmp_path):
    path = tmp_path / "a.jsonl"
    rows = [{"text": "one"}, {"body": "two"}, {"text": 3}, {"text": " "}, {"text": "a\0b"}, {"text": "\ud800"}, ["x"]]
    path.write_bytes(b"\xef\xbb\xbf" + "\n".join(map(json.dumps, rows)).encode() + b'\n{\n\n"\xff"')
    file = read_documents(path, "text")

    assert [document.text for document in file.documents] == ["one", "�"]
    assert in_words(file.faults) == [
        'error: line 2: no "text"; it has body (see --text-key)',
        'error: line 3: "text" is not text but 3',
        "error: line 5: holds NUL characters: this is no text",
        'error: line 7: not an object with "text"',
        "error: line 8: not JSON: Expecting property name enclosed in double quotes at column 2",
        "error: line 10: not UTF-8: byte 0xff at position 2",
        "warning: line 4: empty; left out",
        "warning: line 6: holds half of a character (a lone surrogate), which becomes U+FFFD",
    ]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"one\ntwo\n\xe9t\xe9\n", "error: line 3: not UTF-8: byte 0xe9"),
        ("text".encode("utf-16"), "error: line 1: not UTF-8: byte 0xff (it looks like UTF-16)"),
        (b" \n", "warning: line 1: empty; left out"),
    ],
)
def test_a_text_file_that_cannot_be_used(tmp_path, content, fault):
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    file = read_documents(path, "text")

    assert file.documents == []
    assert in_words(file.faults) == [fault]


def test_a_text_file_is_one_document_without_its_mark_and_with_plain_line_ends(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo")

    assert [document.text for document in read_documents(path, "text").documents] == ["one\ntwo"]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60), min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_each_token_is_learned_once_and_in_its_order(texts):
    tokenizer = learned_tokenizer()
    part = in_pieces(tokenizer, documents(*texts), 8)
    end = tokenizer.eos_token_id

    assert all(2 <= len(row.ids) <= 8 and row.labels[0] == IGNORED for row in part.rows)
    learned = [label for row in part.rows for label in row.labels if label != IGNORED]
    assert learned == [token for text in texts for token in (*tokenizer(text)["input_ids"], end)]
    assert part.learned == len(learned)
    assert part.size == len("".join(texts).encode())


def test_a_document_stands_between_the_tokens_that_begin_and_end_texts(shared_data):
    from transformers import AutoTokenizer

    llama = AutoTokenizer.from_pretrained(shared_data / "models" / "stories260K-hf")
    gpt2 = AutoTokenizer.from_pretrained(shared_data / "gpt2-tokenizer")
    gpt2.bos_token = None
    for tokenizer, begins in ((llama, llama.bos_token_id), (gpt2, gpt2.eos_token_id)):
        (row,) = in_pieces(tokenizer, documents("Once upon a time"), 100).rows
        assert (row.ids[0], row.ids[-1]) == (begins, tokenizer.eos_token_id)
        assert tokenizer.decode(row.ids[1:-1]).strip() == "Once upon a time"


def test_a_tokenizer_without_an_end(tmp_path):
    tokenizer = learned_tokenizer()
    tokenizer.eos_token = None

    with pytest.raises(UserError, match="no token that ends a text: documents would run into each other"):
        in_pieces(tokenizer, documents("a"), 8)


def test_a_text_with_marks_of_the_tokenizer_is_warned_of():
    part = in_pieces(learned_tokenizer(), documents("one<|endoftext|>two"), 8)

    assert in_words(part.faults["one<|endoftext|>two"]) == [
        "warning: line 1: holds <|endoftext|>, which the tokenizer takes for a mark of its own"
    ]
