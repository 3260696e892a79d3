"""The compose file, read as `docker compose` reads it without variables in the environment."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from tests.containers.engine import ROOT

__all__ = ["FILES", "services"]

FILES = tuple(ROOT / "containers" / name for name in ("compose.yaml", "compose.cuda.yaml"))


def services(path: Path = FILES[0]) -> dict[str, dict[str, Any]]:
    """The services by name, variables replaced by their defaults."""
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", path.read_text(encoding="utf-8"))
    return yaml.safe_load(text)["services"]
