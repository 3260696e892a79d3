"""GitHub's expressions, as far as our workflows use them.

An expression is written anew in Python, name by name, and evaluated. A name
that is not known here is an error, as a misspelt one would be on GitHub; only
the event's payload may lack things, which GitHub calls null.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["NULL", "Payload", "evaluate", "interpolate"]

_TOKENS = re.compile(r"'[^']*'|\.[\w-]+|&&|\|\||!=|!|true|false")
_PYTHON = {"&&": " and ", "||": " or ", "!=": "!=", "!": " not ", "true": "True", "false": "False"}


class _Null:
    """What GitHub makes of a property that is not there, and of its properties."""

    def __getitem__(self, name: str) -> _Null:
        return self

    def __bool__(self) -> bool:
        return False


NULL = _Null()


class Payload(dict[str, Any]):
    """An event, which may lack any property."""

    def __missing__(self, name: str) -> _Null:
        return NULL


def evaluate(expression: str, names: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]]) -> Any:
    """The value of ``expression``, given without its ``${{ }}``."""

    def python(token: re.Match[str]) -> str:
        found = token[0]
        return found if found[0] == "'" else f"[{found[1:]!r}]" if found[0] == "." else _PYTHON[found]

    # Our own recipes are all that is evaluated here.
    return eval(_TOKENS.sub(python, expression.strip()), {"__builtins__": {}}, {**names, **functions})


def interpolate(text: str, evaluated: Callable[[str], Any]) -> str:
    """``text`` with each ``${{ expression }}`` replaced by its value."""

    def shown(match: re.Match[str]) -> str:
        value = evaluated(match[1])
        return "" if value is NULL else str(value).lower() if isinstance(value, bool) else str(value)

    return re.sub(r"\$\{\{(.*?)\}\}", shown, text)
