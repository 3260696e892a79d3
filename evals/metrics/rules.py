"""What an answer must satisfy by rule: computed, the same every time, no judge asked."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from evals.text_measures import spaced, text_scores
from fixtures.conversations.rows import ChatRow

__all__ = ["LIKENESS", "Rule", "json_schema", "lacks", "likeness", "matches", "max_words", "no_validator"]

LIKENESS = ("exact_match", "token_f1", "rouge_l", "chrf")
"""Rules that compare the answer with the reference."""


@dataclass(frozen=True)
class Rule:
    """A rule. ``settings`` are all that can change its scores."""

    name: str
    threshold: float
    settings: Mapping[str, Any]
    measure: Callable[[str, ChatRow], tuple[float, str]]
    """Score in 0..1 and reason, of an answer to a row."""

    @cached_property
    def fingerprint(self) -> str:
        """Digest of what the rule does."""
        said = json.dumps([self.name, self.settings], sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()


def likeness(name: str, threshold: float) -> Rule:
    """One of `LIKENESS`, see `evals.text_measures`."""

    def measure(answer: str, row: ChatRow) -> tuple[float, str]:
        score = getattr(text_scores(answer, row.reference), name)
        return score, f"{name} of answer and reference is {score:.2f}."

    return Rule(name, threshold, {"kind": name}, measure)


def max_words(name: str, most: int) -> Rule:
    """At most so many words, parted by blanks; each character of Chinese, Japanese and Korean is one."""

    def measure(answer: str, row: ChatRow) -> tuple[float, str]:
        count = len(spaced(answer).split())
        return float(count <= most), f"{count} words; {most} are allowed."

    return Rule(name, 1.0, {"kind": "max_words", "most": most}, measure)


def matches(name: str, pattern: re.Pattern[str]) -> Rule:
    """The pattern is found somewhere in the answer."""

    def measure(answer: str, row: ChatRow) -> tuple[float, str]:
        found = pattern.search(answer) is not None
        return float(found), f"The answer {'has' if found else 'lacks'} /{pattern.pattern}/."

    return Rule(name, 1.0, {"kind": "matches", "pattern": pattern.pattern}, measure)


def lacks(name: str, pattern: re.Pattern[str]) -> Rule:
    """The pattern is found nowhere in the answer."""

    def measure(answer: str, row: ChatRow) -> tuple[float, str]:
        found = pattern.search(answer)
        said = f"lacks /{pattern.pattern}/." if found is None else f"has {found[0][:80]!r}, by /{pattern.pattern}/."
        return float(found is None), f"The answer {said}"

    return Rule(name, 1.0, {"kind": "lacks", "pattern": pattern.pattern}, measure)


def json_schema(name: str, schema: Any | None) -> Rule:
    """The answer is JSON that is valid by ``schema``, or by the row's own key ``schema`` if that is None."""

    def measure(answer: str, row: ChatRow) -> tuple[float, str]:
        try:
            value = json.loads(answer, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            return 0.0, f"Not JSON: {error}."
        validator = _validator(row.others["schema"] if schema is None else schema)
        problem = next(iter(validator.iter_errors(value)), None)
        if problem is None:
            return 1.0, "JSON that is valid by the schema."
        return 0.0, f"Not valid by the schema at {problem.json_path}: {problem.message[:300]}"

    return Rule(name, 1.0, {"kind": "json_schema", "schema": schema if schema is not None else "the row's"}, measure)


def _no_number(name: str) -> None:
    """Python reads NaN and Infinity, which JSON does not know and other parsers refuse."""
    raise ValueError(f"{name} is no number of JSON")


def no_validator(schema: Any) -> str | None:
    """Why ``schema`` cannot be used; None if it can."""
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for
    from referencing import Registry
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    if not isinstance(schema, (dict, bool)):
        return "a JSON Schema is an object, true or false"
    kind: Any = validator_for(schema)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        return f"at {error.json_path}: {error.message[:200]}"
    resolver = Registry().with_resource("", DRAFT202012.create_resource(schema)).resolver()
    for reference in _references(schema):
        try:
            resolver.lookup(reference)
        except Unresolvable:
            return f'"$ref": {json.dumps(reference)[:120]} is not in the schema; nothing else is looked up'
    return None


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(reference := schema.get("$ref"), str):
            yield reference
        for inner in schema.values():
            yield from _references(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _references(inner)


def _validator(schema: Any) -> Any:
    from jsonschema.validators import validator_for
    from referencing import Registry

    # Left to itself, jsonschema would fetch the addresses that "$ref" names.
    return validator_for(schema)(schema, registry=Registry())
