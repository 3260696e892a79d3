"""Refusals, in Knitfab's words."""

from __future__ import annotations

from typing import TypeAlias

__all__ = ["CliRefused", "Path", "ServerRefused"]

# Where in a Plan: ("inputs", 0, "tags", 1).
Path: TypeAlias = tuple[str | int, ...]


class CliRefused(Exception):
    """``knit plan apply`` exits with 1 and ``message`` on stderr; nothing was sent.

    ``rule`` is a name in `plans.knitfab.rules`, ``line`` that of the file.
    """

    def __init__(self, message: str, rule: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.rule = rule
        self.line = line

    @classmethod
    def unreadable(cls, reason: str, rule: str, line: int) -> CliRefused:
        """A refusal while the file is read."""
        return cls(f"fail to parse Plan file: {reason}", rule, line)


class ServerRefused(Exception):
    """``POST /api/plans`` answers ``status`` and ``{"message": message}``.

    ``rule`` is a name in `plans.knitfab.rules`, ``where`` the part of the
    request that it is about.
    """

    def __init__(self, status: int, message: str, rule: str, where: Path = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.rule = rule
        self.where = where

    @classmethod
    def malformed(cls, reason: str, rule: str, where: Path) -> ServerRefused:
        """A request that is not understood."""
        message = f"bad request\ncan not understand the requested json\n caused by:{reason}"
        return cls(400, message, rule, where)

    @classmethod
    def invalid(cls, reason: str, rule: str, where: Path) -> ServerRefused:
        """A Plan that could not work."""
        reason = f"plan spec is invalid: {reason}"
        return cls(400, f"bad request\n{reason}\n caused by:{reason}", rule, where)

    @classmethod
    def broken(cls, reason: str, rule: str, where: Path) -> ServerRefused:
        """A Plan on which the database fails."""
        return cls(500, f"unexpected error\n caused by:ERROR: {reason}", rule, where)
