"""The display that suits a pytest session: as quiet, and as plain, as pytest itself was told to be."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from evals.progress.display import TerminalDisplay

__all__ = ["display_in_pytest"]


def display_in_pytest(config: pytest.Config, write_line: Callable[[str], Any], *, confidence: float) -> TerminalDisplay:
    """Live lines where pytest itself would use colours, so not with NO_COLOR, say; no stages with ``-q``."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    # pytest may capture sys.stdout now; the terminal itself is behind __stdout__.
    draws = reporter is not None and reporter.isatty() and reporter.hasmarkup
    console = Console(file=sys.__stdout__) if draws else None
    # `deepeval test run` gives one -q by itself.
    quiet = config.get_verbosity() < (-1 if _under_deepeval() else 0)
    return TerminalDisplay(write_line, console, confidence=confidence, quiet=quiet)


def _under_deepeval() -> bool:
    if "deepeval" not in sys.modules:
        return False
    from deepeval.utils import get_is_running_deepeval

    return bool(get_is_running_deepeval())
