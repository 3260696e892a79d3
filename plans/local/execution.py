"""How one Run is executed here: as a process of this machine, or in its image.

A `Mounts` says where the folders of the Plan really are. Knitfab mounts inputs
read-only and outputs empty; so does everything here, as far as it can.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from plans.knitfab.spec import PlanSpec
from plans.local.root import APP, command_in_root, path_of_image
from plans.platform import PlatformError

__all__ = ["ENGINES", "Execute", "Mounts"]


@dataclass(frozen=True)
class Mounts:
    """Real folders by mount path, and an empty folder that is the Run's own until it ends."""

    inputs: Mapping[str, Path]
    outputs: Mapping[str, Path]
    scratch: Path


Execute = Callable[[PlanSpec, Mounts, Path], int]
"""Executes a Plan, writes what it prints to a file, and returns the exit code."""


def run_process(plan: PlanSpec, mounts: Mounts, log: Path) -> int:
    """Run the Plan's command with this Python and this environment, in ``mounts.scratch`` as its root."""
    if not plan.entrypoint:
        raise PlatformError(f"{plan.image}: only the image knows its command, the Plan names none; use an engine")
    folders = {**mounts.inputs, **mounts.outputs}
    command = command_in_root([*plan.entrypoint, *plan.args], folders, mounts.scratch)
    return _logged(command, log, {**os.environ, "PATH": path_of_image(), "PYTHONUNBUFFERED": "1"}, APP)


def run_docker(plan: PlanSpec, mounts: Mounts, log: Path) -> int:
    """Run the Plan's image with ``docker``."""
    return _logged(_docker_command("docker", plan, mounts), log)


def run_podman(plan: PlanSpec, mounts: Mounts, log: Path) -> int:
    """Run the Plan's image with ``podman``."""
    return _logged(_docker_command("podman", plan, mounts), log)


def _docker_command(engine: str, plan: PlanSpec, mounts: Mounts) -> list[str]:
    command = [engine, "run", "--rm", *_volumes(mounts)]
    if plan.entrypoint:
        command += ["--entrypoint", plan.entrypoint[0]]
    return [*command, plan.image, *plan.entrypoint[1:], *plan.args]


def run_buildah(plan: PlanSpec, mounts: Mounts, log: Path) -> int:
    """Run the Plan's image with ``buildah``, which needs no engine and no privileges.

    Where its images lie is said by ``CONTAINERS_STORAGE_CONF`` and
    ``STORAGE_DRIVER``, how it isolates by ``BUILDAH_ISOLATION``, as always.
    """
    if not plan.entrypoint:
        raise PlatformError(f"{plan.image}: buildah runs only what a Plan's entrypoint names, and there is none")
    made = subprocess.run(["buildah", "from", "--pull-never", plan.image], capture_output=True, text=True, check=False)
    if made.returncode:
        raise PlatformError(f"buildah has no image {plan.image}: {made.stderr.strip()}")
    container = made.stdout.strip()
    try:
        return _logged(["buildah", "run", *_volumes(mounts), container, "--", *plan.entrypoint, *plan.args], log)
    finally:
        subprocess.run(["buildah", "rm", container], capture_output=True, check=False)


def _volumes(mounts: Mounts) -> list[str]:
    arguments = []
    for path, folder in mounts.inputs.items():
        arguments += ["--volume", f"{folder}:{path}:ro"]
    for path, folder in mounts.outputs.items():
        # The image's user is nobody on this machine, and has to write here all the same.
        folder.chmod(0o777)
        arguments += ["--volume", f"{folder}:{path}:rw"]
    return arguments


def _logged(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> int:
    try:
        with log.open("wb") as output:
            return subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                cwd=folder,
                check=False,
            ).returncode
    except OSError as error:
        raise PlatformError(f"cannot start {command[0]}: {error.strerror or error}") from error


ENGINES: Mapping[str, Execute] = {
    "processes": run_process,
    "docker": run_docker,
    "podman": run_podman,
    "buildah": run_buildah,
}
