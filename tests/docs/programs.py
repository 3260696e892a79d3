"""What our programs say to a command line, without doing what it asks for."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import re
from collections.abc import Iterator, Sequence
from functools import cache

import pytest

MODULES = ("training", "evals", "plans")


class Parsed(Exception):
    """The command line was understood."""


def call(words: Sequence[str]) -> tuple[str, Sequence[str]] | None:
    """Which of our programs a command starts, and with which arguments; None if it is another's.

    It need not stand first: torchrun, docker and assignments may come before it.
    """
    for place, (word, following) in enumerate(zip(words, [*words[1:], ""], strict=True)):
        if word == "-m" and following in MODULES:
            return following, words[place + 2 :]
        if word == "pytest" and words[0] != "pip":
            return "pytest", words[place + 1 :]
        if [word, *words[place + 1 : place + 3]] == ["deepeval", "test", "run"]:
            return "pytest", words[place + 3 :]
    return None


def complaint(program: str, arguments: Sequence[str], config: pytest.Config) -> str:
    """What is wrong with a complete command line; empty if nothing is."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            if program == "pytest":
                # The parser of this session: `evals.plugin` has added its options as in every session.
                config._parser.parse([argument for argument in arguments if argument != "--help"])
                return ""
            _main(program, arguments)
        except Parsed:
            return ""
        except SystemExit as error:
            return said.getvalue().strip().splitlines()[-1] if error.code else ""
        except pytest.UsageError as error:
            return str(error)
    raise AssertionError(f"{program} parsed nothing")


@cache
def options(program: str, words: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The options that the help of a sub-command lists, each with its choices, if it has any.

    Raises LookupError with what the program says if there is no such sub-command.
    """
    said, complained = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
        try:
            _main(program, [*words, "--help"])
        except SystemExit as error:
            if error.code:
                raise LookupError(complained.getvalue().strip().splitlines()[-1]) from None
    return dict(_listed(said.getvalue()))


def _listed(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for option, value in re.findall(r"^ +(?:-\w(?: \S+)?, )?(--[\w-]+)(?:[ =](\S+))?", text, re.MULTILINE):
        choices = tuple(re.split(r"[|,]", value.strip("{}")))
        fixed = len(choices) > 1 and all(re.fullmatch(r"[a-z0-9_.-]+", choice) for choice in choices)
        yield option, choices if fixed else ()


def _main(program: str, arguments: Sequence[str]) -> None:
    parse = argparse.ArgumentParser.parse_args

    def parse_only(self: argparse.ArgumentParser, *given: object, **named: object) -> argparse.Namespace:
        parse(self, *given, **named)
        raise Parsed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", parse_only)
        importlib.import_module(f"{program}.__main__").main(list(arguments))
