"""What must be true of the turns of one conversation, so that something can be learned from it.

The form is that of OpenAI's chat fine-tuning. Roles are system, user,
assistant and tool; a system turn, if there is one, comes first and alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

__all__ = ["ROLES", "faults_of_tools", "faults_of_turns"]

ROLES = ("system", "user", "assistant", "tool")

# What other formats call them.
_OTHER_NAMES = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant", "developer": "system"}


def faults_of_turns(messages: Any) -> Iterator[str]:
    """Everything that is wrong with the value of ``messages``."""
    if not isinstance(messages, list) or not messages:
        yield '"messages" is not a list of turns'
        return
    turns = [turn for turn in messages if isinstance(turn, dict)]
    if len(turns) < len(messages):
        yield "a turn is not an object with role and content"
        return
    known = True
    for turn in turns:
        if turn.get("role") not in ROLES:
            known = False
            yield _unknown_role(turn.get("role"))
    yield from dict.fromkeys(fault for turn in turns for fault in _faults_of_content(turn))
    # Who speaks when cannot be said of turns that nobody knows the speaker of.
    if known:
        yield from _faults_of_order(turns)


def faults_of_tools(tools: Any) -> Iterator[str]:
    """Everything that is wrong with the value of ``tools``."""
    if not isinstance(tools, list):
        yield '"tools" is not a list'
    elif not all(_named_function(tool) for tool in tools):
        yield 'a tool is not {"type": "function", "function": {"name": ...}}'


def _unknown_role(role: Any) -> str:
    if role is None:
        return "a turn has no role"
    hint = f"; write {_OTHER_NAMES[role]}" if isinstance(role, str) and role in _OTHER_NAMES else ""
    share_gpt = " (a name of ShareGPT's)" if role in ("human", "gpt") else ""
    return f"unknown role {json.dumps(role, ensure_ascii=False)[:40]}{share_gpt}{hint or ': ' + ', '.join(ROLES)}"


def _faults_of_content(turn: dict[str, Any]) -> Iterator[str]:
    role, content, calls = turn.get("role"), turn.get("content"), turn.get("tool_calls")
    if content is not None and not isinstance(content, str):
        yield f"the content of a turn is not text but {_kind(content)}"
    elif not (content or "").strip() and role != "tool" and not (role == "assistant" and calls):
        yield f"a turn of the {role} is empty" if role in ROLES else "a turn is empty"
    if calls is not None:
        yield from _faults_of_calls(role, calls)
    if "function_call" in turn:
        yield '"function_call" is the old form; write "tool_calls"'


def _faults_of_calls(role: Any, calls: Any) -> Iterator[str]:
    if role != "assistant":
        yield f"tool_calls in a turn of the {role}: only the assistant calls tools"
    if not isinstance(calls, list) or not all(_named_function(call) for call in calls):
        yield 'a tool call is not {"type": "function", "function": {"name": ..., "arguments": ...}}'
        return
    for call in calls:
        arguments = call["function"].get("arguments", {})
        if isinstance(arguments, str):
            try:
                arguments = json.loads(arguments or "{}")
            except (ValueError, RecursionError):
                arguments = None
        if not isinstance(arguments, dict):
            yield "the arguments of a tool call are not a JSON object"


def _named_function(value: Any) -> bool:
    function = value.get("function") if isinstance(value, dict) else None
    return isinstance(function, dict) and isinstance(function.get("name"), str) and bool(function["name"])


def _faults_of_order(turns: list[dict[str, Any]]) -> Iterator[str]:
    roles = [turn["role"] for turn in turns]
    if roles.count("system") > 1:
        yield "two system turns" if roles.count("system") == 2 else "more than two system turns"
    elif "system" in roles[1:]:
        yield "the system turn is not the first"
    spoken = [role for role in roles if role != "system"]
    if "user" not in spoken:
        yield "no user turn: there is nothing to answer"
    elif spoken[0] != "user":
        yield f"the {spoken[0]} speaks first; a conversation begins with the user"
    if "assistant" not in spoken:
        yield "no assistant turn: there is nothing to learn"
    elif spoken[-1] != "assistant":
        yield f"the last turn is the {spoken[-1]}'s, without an answer of the assistant"
    for before, turn in pairwise(turns):
        if turn["role"] == "tool" and before["role"] != "tool" and not before.get("tool_calls"):
            yield "a tool answers without having been called"
            break


def _kind(value: Any) -> str:
    return {list: "a list", dict: "an object", bool: "a truth value"}.get(type(value), "a number")
