"""Pages of documentation, as a Markdown parser sees them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("README*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")])
SHELLS = ("bash", "sh", "console")


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def _tokens(self) -> list[Token]:
        return MarkdownIt().enable("table").parse(self.path.read_text(encoding="utf-8"))

    @cached_property
    def _inline(self) -> list[Token]:
        return [child for token in self._tokens for child in token.children or ()]

    @property
    def blocks(self) -> list[tuple[str, str]]:
        """Fenced blocks: language and code."""
        return [(token.info.strip(), token.content) for token in self._tokens if token.type == "fence"]

    @property
    def commands(self) -> list[list[str]]:
        """Commands of the shell blocks, as words."""
        return [words for language, code in self.blocks if language in SHELLS for words in commands(code)]

    @property
    def inline_code(self) -> list[str]:
        return [token.content for token in self._inline if token.type == "code_inline"]

    @property
    def links(self) -> list[str]:
        """Where links and images point to."""
        sources = {"link_open": "href", "image": "src"}
        return [str(token.attrs[sources[token.type]]) for token in self._inline if token.type in sources]

    @property
    def anchors(self) -> set[str]:
        """What ``#...`` may name, made of the headings as GitHub does."""
        titles = [
            following.content
            for token, following in zip(self._tokens, self._tokens[1:], strict=False)
            if token.type == "heading_open"
        ]
        return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def commands(script: str) -> Iterator[list[str]]:
    """The simple commands of a shell script, without redirections."""
    pending = ""
    without_errors = re.sub(r"(?<=\s)2>(?:&1|\S+)", "", script)
    for line in without_errors.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(pending + line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        try:
            words = list(lexer)
        except ValueError:  # a quotation that goes on in the next line
            pending += line + "\n"
            continue
        pending = ""
        yield from _parts(words)
    assert not pending, f"a quotation without an end: {pending}"


def _parts(words: list[str]) -> Iterator[list[str]]:
    command: list[str] = []
    to_file = False
    for word in words:
        if word and set(word) <= set("();<>|&"):
            to_file = word in ("<", ">", ">>", "&>")
            if not to_file and command:
                yield command
                command = []
        elif to_file:
            to_file = False
        else:
            command.append(word)
    if command:
        yield command
