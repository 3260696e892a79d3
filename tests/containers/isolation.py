"""Runs an image's files as Kubernetes runs them: process 1, not root, no privileges, its root file system read-only.

buildah can do none of these without an engine's runtime; the kernel can.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.containers.engine import USER

__all__ = ["first_process", "read_only"]


@contextmanager
def read_only(
    root: Path, config: Mapping[str, Any], command: Sequence[str], mounts: Mapping[str, str]
) -> Iterator[subprocess.Popen[str]]:
    """``command`` running in ``root`` with the image's environment and working folder; killed at the end.

    ``mounts`` are ``/path/in/it[:ro]`` to folders here; ``/tmp`` is a new tmpfs.
    """
    script = ["set -e", f"mount --bind {root} {root}"]
    for inside, here in mounts.items():
        path, _, mode = inside.partition(":")
        script += [f"mkdir -p {root}{path}", f"mount --bind {shlex.quote(here)} {root}{path}"]
        if mode == "ro":
            script.append(f"mount -o remount,bind,ro {root}{path}")
    script += [
        f"mount -t tmpfs -o mode=1777 tmpfs {root}/tmp",
        f"mount -t proc proc {root}/proc",
        f"mount --rbind /dev {root}/dev",
        f"mount -o remount,bind,ro {root}",
    ]
    given = ["env", "-i", "-C", config["WorkingDir"], *config["Env"], *command]
    script.append(shlex.join(["exec", "chroot", "--userspec={}:{}".format(*USER), "--groups=", str(root), *given]))
    process = subprocess.Popen(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", "\n".join(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def first_process(process: subprocess.Popen[str]) -> int:
    """Our number of what has number 1 in there."""
    return int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
