"""Of the processes that train together under torchrun, which is this, and how many are there?"""

from __future__ import annotations

import os

__all__ = ["is_main_process", "process_count"]


def is_main_process() -> bool:
    """Whether this process, of those that train together, is the one that writes and speaks."""
    return os.environ.get("RANK", "0") == "0"


def process_count() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))
