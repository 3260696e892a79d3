"""Texts of the form ``KEY=VALUE``, as ``knit`` and ``knitd`` both read them."""

from __future__ import annotations

__all__ = ["parse_annotation", "parse_label"]


def parse_annotation(text: str) -> tuple[str, str]:
    """Key and value, trimmed. Raises ValueError, in Knitfab's words, without ``=``."""
    key, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"annotation format error (should be key=value): {text}")
    return key.strip(), value.strip()


def parse_label(text: str) -> str:
    """A label or taint of a node, as it is. Raises ValueError, in Knitfab's words, without ``=``."""
    if "=" not in text:
        raise ValueError(f"label format error (should be key=value): {text}")
    return text
