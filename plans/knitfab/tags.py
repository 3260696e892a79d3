"""Tags: what Data carries and what inputs ask for, spelt as Knitfab spells them.

Keys that begin with ``knit#`` are Knitfab's own: ``knit#id`` and
``knit#timestamp`` of every Data, ``knit#transient`` of Data that no input
ever gets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

__all__ = ["ID", "TIMESTAMP", "TRANSIENT", "Tag", "TagError", "tag_from_mapping", "tag_set"]

SYSTEM_PREFIX = "knit#"
ID = "knit#id"
TIMESTAMP = "knit#timestamp"
TRANSIENT = "knit#transient"

# RFC 3339 with an offset; Go's parser also takes an hour of one digit.
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d{1,2})(:\d\d:\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII)


class TagError(ValueError):
    """A text that is no tag, in Knitfab's words; ``rule`` names the rule it breaks."""

    def __init__(self, message: str, rule: str) -> None:
        super().__init__(message)
        self.rule = rule


class Tag(NamedTuple):
    """A ``key:value``."""

    key: str
    value: str

    @classmethod
    def parse(cls, text: str) -> Tag:
        """The tag that ``text`` spells: split at its first colon, both sides trimmed.

        Raises TagError without a colon, and for a value that a system tag
        cannot have.
        """
        key, colon, value = text.partition(":")
        if not colon:
            raise TagError(f"tag parse error: {text} :no key", "tag-without-colon")
        key, value = key.strip(), value.strip()
        if key == TIMESTAMP and _instant(value) is None:
            raise TagError(f"tag parse error: {text} is not timestamp", "tag-timestamp")
        if key == TRANSIENT and value not in ("processing", "failed"):
            raise TagError(f'tag parse error: "{TRANSIENT}" should be one of "processing" or "failed"', "tag-transient")
        return cls(key, value)

    @property
    def is_system(self) -> bool:
        """Whether this key is Knitfab's own."""
        return self.key.startswith(SYSTEM_PREFIX)

    def normal(self) -> Tag:
        """This tag, its timestamp in UTC: two spellings of one instant are one tag."""
        instant = _instant(self.value) if self.key == TIMESTAMP else None
        if instant is None:
            return self
        milliseconds = f"{instant.microsecond // 1000:03d}".rstrip("0")
        fraction = f".{milliseconds}" if milliseconds else ""
        return Tag(self.key, f"{instant:%Y-%m-%dT%H:%M:%S}{fraction}+00:00")

    def __str__(self) -> str:
        return f"{self.key}:{self.value}"


def tag_set(tags: Iterable[Tag]) -> frozenset[Tag]:
    """Tags as Knitfab keeps them: each once, timestamps in UTC."""
    return frozenset(tag.normal() for tag in tags)


def tag_from_mapping(mapping: Mapping[str, Any]) -> Tag:
    """The tag of a mapping with ``key`` and ``value``, which Knitfab reads without a look at what they say.

    Raises TagError for a field that is absent, null or no string.
    """
    for field in Tag._fields:
        if field not in mapping:
            raise TagError(f'field "{field}" is missing', "tag-mapping")
        if mapping[field] is None:
            raise TagError(f'field "{field}"\'s value is missing', "tag-mapping")
        if not isinstance(mapping[field], str):
            raise TagError(f'field "{field}"\'s value is invalid', "tag-mapping")
    return Tag(mapping["key"], mapping["value"])


def _instant(text: str) -> datetime | None:
    """The instant that ``text`` spells in RFC 3339, or None."""
    match = _INSTANT.fullmatch(text)
    if match is None:
        return None
    date, hour, rest, fraction, offset = match.groups()
    # Python keeps six digits of a fraction; Knitfab shows three.
    spelt = f"{date}T{hour:0>2}{rest}.{(fraction or '0')[:6]:0<6}{offset}"
    try:
        return datetime.fromisoformat(spelt).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
