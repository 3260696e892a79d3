"""``--metrics FILE``: what a chat model's answers must satisfy, as JSON.

A metric a key. Ready ones take a threshold at most; a user's own are a judge's
(``steps``) or a pattern's (``matches``, ``lacks``)::

    {
      "correctness": {"threshold": 0.8},
      "style": {},
      "max_words": {"most": 60},
      "names_a_day": {"steps": ["Award 10 if the Actual Output names a day, else 0."], "sees": ["actual_output"]},
      "no_excuses": {"lacks": "(?i)as an ai"}
    }
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from evals.judges.base import CATEGORY_PRECISION, CORRECTNESS
from evals.metrics.chat import BUILT_IN, DEFAULT_THRESHOLD, built_in, own_metric
from evals.metrics.geval import GEvalMetric, Seen
from evals.metrics.rules import LIKENESS, Rule, json_schema, lacks, likeness, matches, max_words, no_validator
from fixtures.contracts.errors import UserError
from fixtures.contracts.settings import unknown_key
from fixtures.conversations.rows import ChatRow

__all__ = ["AnyMetric", "read_metrics"]

AnyMetric = GEvalMetric | Rule

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
_RULES = (*LIKENESS, "json_schema", "max_words")
_READY = (*BUILT_IN, *_RULES)
_SEEN: tuple[Seen, ...] = ("input", "actual_output", "expected_output")
_HIGHEST = 10


def read_metrics(path: Path | None, rows: Sequence[ChatRow]) -> list[AnyMetric]:
    """The metrics of a file, in its order; without one it is correctness alone.

    ``rows`` are what they will be asked of. Raises UserError for the first
    mistake, naming the metric and the key.
    """
    if path is None:
        return [built_in(CORRECTNESS, None)]
    return [_metric(_Entry(path, name, keys), rows) for name, keys in _read(path).items()]


def _read(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read metrics {path}: {getattr(error, 'strerror', None) or error}") from error

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        for name in names:
            if names.count(name) > 1:
                raise UserError(f'{path}: key "{name}" is given twice')
        return dict(pairs)

    try:
        content = json.loads(text, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        raise UserError(f"{path}:{error.lineno}: not valid JSON: {error.msg}") from error
    if not isinstance(content, dict) or not content:
        raise UserError(f'{path}: must be an object with a metric a key, like {{"correctness": {{}}}}')
    return content


class _Entry:
    """One metric of the file: its keys are taken one by one, with messages that name them."""

    def __init__(self, path: Path, name: str, keys: Any) -> None:
        self.path, self.name = path, name
        if not _NAME.fullmatch(name) or name == CATEGORY_PRECISION:
            raise UserError(
                f'{path}: metric "{name}": a name has at most 40 of the characters A-Z a-z 0-9 _ -, begins with a '
                f"letter and is not {CATEGORY_PRECISION}"
            )
        if not isinstance(keys, dict):
            raise UserError(f'{self}: must be an object, like {{"threshold": 0.8}}, not {json.dumps(keys)[:60]}')
        self.keys: dict[str, Any] = keys

    def __str__(self) -> str:
        return f"{self.path}: {self.name}"

    def allow(self, *known: str) -> None:
        """Raise UserError for a key that is not ``known``."""
        for key in self.keys:
            if key not in known:
                raise UserError(unknown_key(str(self), key, dict.fromkeys(known)))

    def wrong(self, key: str, allowed: str) -> UserError:
        """The error of a key whose value is not ``allowed``."""
        return UserError(f'{self}: "{key}" is {json.dumps(self.keys.get(key))[:120]}: must be {allowed}')

    def threshold(self, default: float | None = None) -> float | None:
        """The key ``threshold``."""
        value = self.keys.get("threshold", default)
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1
        ):
            raise self.wrong("threshold", "a number from 0 to 1; 7 of a judge's 10 points are 0.7")
        return value

    def text(self, key: str) -> str:
        """The text at ``key``."""
        value = self.keys.get(key)
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(key, "a text")
        return value

    def pattern(self, key: str) -> re.Pattern[str]:
        """The regular expression at ``key``."""
        try:
            return re.compile(self.text(key))
        except re.error as error:
            raise self.wrong(key, f"a regular expression: {error}") from error


def _metric(entry: _Entry, rows: Sequence[ChatRow]) -> AnyMetric:
    name = entry.name
    if name in BUILT_IN:
        if "steps" in entry.keys or "criteria" in entry.keys:
            raise UserError(f"{entry}: is a metric with words of its own; give yours another name")
        entry.allow("threshold")
        return built_in(name, entry.threshold())
    if name in LIKENESS:
        entry.allow("threshold")
        threshold = entry.threshold(1.0 if name == "exact_match" else None)
        if threshold is None:
            raise UserError(f'{entry}: needs a "threshold": how alike is enough depends on how long your answers are')
        return likeness(name, threshold)
    if name == "max_words":
        entry.allow("most")
        most = entry.keys.get("most")
        if isinstance(most, bool) or not isinstance(most, int) or most < 1:
            raise entry.wrong("most", "a number of words, 1 or more")
        return max_words(name, most)
    if name == "json_schema":
        entry.allow("schema")
        return _json_schema(entry, rows)
    for key, make in (("matches", matches), ("lacks", lacks)):
        if key in entry.keys:
            entry.allow(key)
            return make(name, entry.pattern(key))
    if "steps" in entry.keys:
        return _own(entry)
    raise UserError(
        unknown_key(str(entry.path), name, dict.fromkeys(_READY))
        + '\n  a metric of your own has "steps" for a judge, or a pattern that an answer "matches" or "lacks"'
    )


def _json_schema(entry: _Entry, rows: Sequence[ChatRow]) -> Rule:
    if "schema" not in entry.keys:
        without = [row for row in rows if "schema" not in row.others]
        if without:
            raise UserError(
                f'{entry}: {len(without)} of {len(rows)} rows have no key "schema", the first in line '
                f'{without[0].line}; name a file for all of them by "schema"'
            )
        for row in rows:
            if (problem := no_validator(row.others["schema"])) is not None:
                raise UserError(f'{entry}: the "schema" of the row in line {row.line} is none: {problem}')
        return json_schema(entry.name, None)
    # Beside the file that names it, wherever that was moved to.
    path = entry.path.parent / entry.text("schema")
    try:
        schema = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UserError(f"{entry}: cannot read schema {path}: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{entry}: schema {path} is not JSON: {error}") from error
    if (problem := no_validator(schema)) is not None:
        raise UserError(f"{entry}: {path} is no JSON Schema: {problem}")
    return json_schema(entry.name, schema)


def _own(entry: _Entry) -> GEvalMetric:
    entry.allow("criteria", "steps", "rubric", "sees", "threshold")
    steps = entry.keys["steps"]
    if not _texts(steps):
        raise entry.wrong("steps", "a list of texts: how a judge gets to its score from 0 to 10")
    sees = entry.keys.get("sees", list(_SEEN))
    if not isinstance(sees, list) or "actual_output" not in sees or not set(sees) <= set(_SEEN):
        raise entry.wrong("sees", f"a list of {', '.join(_SEEN)}, with actual_output in it")
    threshold = entry.threshold(DEFAULT_THRESHOLD)
    assert threshold is not None
    return own_metric(
        entry.name,
        criteria=entry.text("criteria") if "criteria" in entry.keys else "",
        steps=steps,
        rubric=_rubric(entry),
        sees=[part for part in _SEEN if part in sees],
        threshold=threshold,
    )


def _rubric(entry: _Entry) -> list[tuple[int, int, str]]:
    """``{"0-3": "wrong", "10": "right"}`` as ranges in ascending order, none of which overlap."""
    given = entry.keys.get("rubric", {})
    expected = 'an object like {"0-4": "wrong", "5-10": "right"}, ranges of 0 to 10 that do not overlap'
    if not isinstance(given, dict) or not _texts(list(given.values()), empty=True):
        raise entry.wrong("rubric", expected)
    ranges = []
    for key, words in given.items():
        match = re.fullmatch(r"(\d{1,2})(?:-(\d{1,2}))?", key)
        low, high = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not low <= high <= _HIGHEST:
            raise entry.wrong("rubric", expected)
        ranges.append((low, high, words))
    ranges.sort()
    if any(before[1] >= after[0] for before, after in pairwise(ranges)):
        raise entry.wrong("rubric", expected)
    return ranges


def _texts(value: Any, *, empty: bool = False) -> bool:
    return (
        isinstance(value, list)
        and (empty or bool(value))
        and all(isinstance(text, str) and text.strip() for text in value)
    )
