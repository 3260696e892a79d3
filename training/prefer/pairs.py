"""Preferences from a JSON Lines file, and everything that is wrong with it at once.

Three forms are read. trl's: ``{"prompt", "chosen", "rejected"}``, each a list
of turns or a text (one turn of the user, one of the assistant). The same
without a prompt: two whole conversations that part at the last answer.
OpenAI's: ``{"input": {"messages"}, "preferred_output", "non_preferred_output"}``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fixtures.contracts.files import sha256_text
from fixtures.conversations.faults import Checked, Fault
from fixtures.conversations.files import encodable_row, plain_turn
from fixtures.conversations.lines import json_lines
from fixtures.conversations.turns import faults_of_tools, faults_of_turns

__all__ = ["Pair", "PairFile", "read_pairs"]

Turns = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Pair:
    """What the assistant is asked, the turn that is better, and the turn that is worse."""

    line: int
    prompt: Turns
    chosen: dict[str, Any]
    rejected: dict[str, Any]
    tools: list[dict[str, Any]] | None

    @property
    def asked(self) -> str:
        """Digest of what is asked: pairs with the same stay on one side."""
        return _digest(self.prompt, self.tools)

    @property
    def digest(self) -> str:
        """Tells whether two pairs are the same."""
        return _digest(self.prompt, self.tools, self.chosen, self.rejected)

    @property
    def opposite(self) -> str:
        """The digest of the pair with its answers the other way round."""
        return _digest(self.prompt, self.tools, self.rejected, self.chosen)


@dataclass
class PairFile:
    """What a file holds: ``rows`` lines with something in them, of which the pairs can be used."""

    path: Path
    rows: int
    pairs: list[Pair]
    faults: list[Fault]

    @property
    def digest(self) -> str:
        """One digest of all usable pairs, in their order."""
        return sha256_text("\n".join(pair.digest for pair in self.pairs))

    def checked(self) -> Checked:
        """What is to be told of the file."""
        return Checked(self.path, self.rows, self.faults)


class _Wrong(Exception):
    """A row that is no pair; the message says why."""


def read_pairs(path: Path) -> PairFile:
    """Read a file of preferences; faults are collected, not raised.

    Raises UserError only when the file cannot be read at all.
    """
    file = PairFile(path, 0, [], [])
    for line, row in json_lines(path, '"prompt", "chosen" and "rejected"'):
        file.rows += 1
        if isinstance(row, str):
            file.faults.append(Fault(line, row))
            continue
        try:
            pair, found = _pair(encodable_row(row), line)
        except _Wrong as wrong:
            file.faults.append(Fault(line, str(wrong)))
            continue
        file.faults += (Fault(line, what) for what in found)
        if not found:
            file.pairs.append(pair)
        if row != encodable_row(row):
            what = "holds half of a character (a lone surrogate), which becomes U+FFFD"
            file.faults.append(Fault(line, what, warning=True))
    if not file.rows:
        file.faults.append(Fault(None, "the file is empty"))
    file.faults += _between(file.pairs)
    return file


def _pair(row: dict[str, Any], line: int) -> tuple[Pair, list[str]]:
    """The pair in a row, and what is wrong with its turns. Raises _Wrong when it has none."""
    given, chosen, rejected, tools = _parts(row)
    found = list(faults_of_tools(tools)) if tools is not None else []
    if given is None:
        if chosen[:-1] != rejected[:-1]:
            raise _Wrong("chosen and rejected answer different prompts: all but their last turns must be the same")
        prompt = chosen[:-1]
        chosen, rejected = chosen[-1:], rejected[-1:]
    else:
        prompt = given
        chosen, rejected = _answer(prompt, "chosen", chosen), _answer(prompt, "rejected", rejected)
    if prompt and prompt[-1].get("role") == "assistant":
        found.append("the prompt ends with a turn of the assistant: there is nothing to answer")
    for name, answer in (("chosen", chosen), ("rejected", rejected)):
        for what in faults_of_turns([*prompt, *answer]):
            # What is wrong with the prompt is wrong with both: said once.
            of_prompt = what in set(faults_of_turns([*prompt, {"role": "assistant", "content": "x"}]))
            told = what if of_prompt else f"{name}: {what}"
            if told not in found:
                found.append(told)
    if found:
        return Pair(line, prompt, chosen[0], rejected[0], tools), found
    turns = [plain_turn(turn) for turn in (*prompt, *chosen, *rejected)]
    pair = Pair(line, turns[:-2], turns[-2], turns[-1], tools or None)
    if pair.digest == pair.opposite:
        found.append("chosen and rejected are the same: nothing is preferred to anything")
    return pair, found


def _parts(row: dict[str, Any]) -> tuple[Turns | None, Turns, Turns, Any]:
    prompt: Turns | None
    if "preferred_output" in row or "non_preferred_output" in row:
        given = row.get("input")
        if not isinstance(given, dict) or "messages" not in given:
            raise _Wrong('OpenAI\'s form without {"input": {"messages": [...]}}')
        prompt, tools = _turns("messages", given["messages"], "user"), given.get("tools")
        names = ("preferred_output", "non_preferred_output")
    else:
        prompt = _turns("prompt", row["prompt"], "user") if "prompt" in row else None
        tools, names = row.get("tools"), ("chosen", "rejected")
    missing = [f'"{name}"' for name in names if name not in row]
    if missing:
        raise _Wrong(f"no {' and no '.join(missing)}; it has {', '.join(map(str, row))[:80] or 'nothing'}")
    if prompt is None and not all(isinstance(row[name], list) for name in names):
        raise _Wrong('no "prompt": what was asked?')
    chosen, rejected = (_turns(name, row[name], "assistant") for name in names)
    return prompt, chosen, rejected, tools


def _turns(name: str, value: Any, role: str) -> Turns:
    if isinstance(value, str):
        return [{"role": role, "content": value}]
    if not isinstance(value, list) or not value or not all(isinstance(turn, dict) for turn in value):
        raise _Wrong(f'"{name}" is neither a text nor a list of turns')
    return value


def _answer(prompt: Turns, name: str, turns: Turns) -> Turns:
    """The one turn that answers; many data sets repeat the prompt before it."""
    if len(turns) > 1 and turns[:-1] in (prompt, prompt[-1:]):
        return turns[-1:]
    if len(turns) > 1:
        said = [turn.get("role") for turn in turns]
        if said.count("assistant") == len(said):
            raise _Wrong(f"{name} has {len(turns)} turns of the assistant; one answer is compared with one other")
        raise _Wrong(f"{name} does not begin with the prompt, and is more than one turn of the assistant")
    return turns


def _between(pairs: list[Pair]) -> Iterator[Fault]:
    """Pairs that are there twice, or that contradict another one."""
    first: dict[str, int] = {}
    for pair in pairs:
        if pair.digest in first:
            yield Fault(pair.line, "the same as an earlier line", warning=True)
        elif (other := first.get(pair.opposite)) is not None:
            yield Fault(pair.line, f"contradicts line {other}: the same two answers the other way round; keep one")
        first.setdefault(pair.digest, pair.line)


def _digest(*parts: Any) -> str:
    return sha256_text(json.dumps(parts, sort_keys=True, ensure_ascii=True))
