"""Is the schema enforced? A property that no prompt mentions tells.

A model that merely obeys its prompt cannot know the property, let alone its
only allowed value. (`transformers serve` takes a schema and ignores it.)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from evals.judges.base import Question

__all__ = ["enforced", "with_canary"]

_NAME, _VALUE = "verdict_form", "v1-7c3f"


def with_canary(question: Question) -> Question:
    """``question`` with a schema that demands the property, first of all."""
    schema: Mapping[str, Any] = question.schema
    properties = {_NAME: {"type": "string", "enum": [_VALUE]}, **schema["properties"]}
    return replace(question, schema={**schema, "properties": properties, "required": list(properties)})


def enforced(text: str) -> bool:
    """Whether an answer to a question `with_canary` shows the property."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        # Cut off by the limit of tokens, an enforced answer still begins with it.
        return text.lstrip().startswith("{") and f'"{_VALUE}"' in text[:200]
    return isinstance(value, dict) and value.get(_NAME) == _VALUE
