"""What tests of the project and evaluations share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data that ``NEWSJUDGE_SHARED_DATA`` names; skips where there is none."""
    folder = os.environ.get("NEWSJUDGE_SHARED_DATA")
    if not folder:
        pytest.skip("NEWSJUDGE_SHARED_DATA is not set: no real data here")
    return Path(folder)
