"""Errors of a training that was asked for correctly and failed all the same."""

from __future__ import annotations

__all__ = ["TrainingFailed"]


class TrainingFailed(Exception):
    """The training went wrong (a loss of NaN, say); told in one line, exit code 1."""
