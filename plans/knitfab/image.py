"""Image references as Knitfab reads them: go-containerregistry's, with no default registry."""

from __future__ import annotations

import re

__all__ = ["complete_image"]

_TAG_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789_-.ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789_-./"
_REGISTRY = re.compile(r"([\w.~!$&'()*+,;=-]*|\[[0-9a-f:.]+\])(:\d*)?", re.ASCII | re.IGNORECASE)


def complete_image(text: str) -> str:
    """``text`` with the tag ``latest`` if it has none.

    Raises ValueError, in Knitfab's words, for what it takes for no reference:
    a digest, for one.
    """
    name, colon, tag = text.rpartition(":")
    # A colon before a slash belongs to a port.
    if not colon or "/" in tag:
        name, tag = text, ""
    if tag:
        _check("tag", tag, _TAG_CHARACTERS, 1, 127)
    if not name:
        raise ValueError("a repository name must be specified")
    registry, slash, repository = name.partition("/")
    if not slash or not {".", ":"} & set(registry):
        registry, repository = "", name
    _check("repository", repository, _NAME_CHARACTERS, 2, 255)
    if not _REGISTRY.fullmatch(registry):
        raise ValueError(f"registries must be valid RFC 3986 URI authorities: {registry}")
    if registry in ("docker.io", "index.docker.io"):
        registry = "index.docker.io"
        repository = repository if "/" in repository else f"library/{repository}"
    return f"{registry}{'/' if registry else ''}{repository}:{tag or 'latest'}"


def _check(what: str, text: str, allowed: str, shortest: int, longest: int) -> None:
    if not shortest <= len(text) <= longest:
        raise ValueError(f"{what} must be between {shortest} and {longest} characters in length: {text}")
    if set(text) - set(allowed):
        raise ValueError(f"{what} can only contain the characters `{allowed}`: {text}")
