"""A folder that looks like a container's root to a process, which cannot be given mounts.

The folders of a Run are linked into it, and whatever in the Run's command names a
path below their topmost names (``/in/model``; ``/out``, where ``/out/model`` is
mounted) is made to point there.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

__all__ = ["APP", "command_in_root", "path_of_image"]

APP = Path(__file__).resolve().parents[2]
"""What ``/app`` is in the images: the folder that holds ``training`` and ``evals``."""


def command_in_root(command: Sequence[str], mounts: Mapping[str, Path], root: Path) -> list[str]:
    """``command`` as it is to be started, with ``mounts`` (real folders by mount path) linked into ``root``."""
    for path, folder in mounts.items():
        link = root / path.lstrip("/")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(folder.resolve(), target_is_directory=True)
    topmost = "|".join(sorted({re.escape(PurePosixPath(path).parts[1]) for path in mounts}))
    inside = re.compile(rf"(?<![\w./-])/(?:{topmost})(?![\w.-])")
    return [*_bound_by_modes(), *(inside.sub(lambda match: f"{root}{match[0]}", word) for word in command)]


def path_of_image() -> str:
    """``PATH`` with this Python's environment first, as in the images."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def _bound_by_modes() -> list[str]:
    """What a command starts with so that read-only files are read-only for it, although it is root's."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--bounding-set=-dac_override", "--"] if os.geteuid() == 0 and setpriv else []
