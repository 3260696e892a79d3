"""Builds and runs the images where no engine runs: buildah on a base made by debootstrap.

`usable` says what is missing, if anything. The base and the wheels are kept
in the user's cache folder, the images are not.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "newsjudge-tests"
SUITE = "bookworm"
"""The Debian whose Python is 3.11."""
USER = (1000, 1000)


class Unavailable(Exception):
    """What the images are built from cannot be had here."""


def unusable() -> str | None:
    """Why no image can be built here, if so."""
    missing = [tool for tool in ("buildah", "debootstrap", "unshare") if shutil.which(tool) is None]
    if missing:
        return f"{', '.join(missing)} not installed"
    if os.geteuid() != 0:
        return "debootstrap and chroots need root"
    if sys.version_info[:2] != (3, 11):
        return "wheels are fetched for this Python, and the base has 3.11"
    return None


def base_archive() -> Path:
    """A small Debian with Python, as a tar archive. Raises Unavailable."""
    archive = CACHE / f"{SUITE}.tar.gz"
    if archive.exists():
        return archive
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        root = Path(folder, "root")
        _fetched(["debootstrap", "--variant=minbase", "--include=python3-venv", SUITE, str(root)])
        left_out = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale")
        exclude = [f"--exclude=./{path}/*" for path in left_out]
        subprocess.run(
            ["tar", "-C", root, *exclude, "--use-compress-program=gzip -1", "-cf", f"{folder}/base.tar.gz", "."],
            check=True,
        )
        Path(folder, "base.tar.gz").replace(archive)
    return archive


def wheels(extras: Sequence[str] = ()) -> Path:
    """A folder of all that the project needs with ``extras``, from wherever pip gets it here. Raises Unavailable."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    optional = project["project"]["optional-dependencies"]
    wanted = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    wanted += [requirement for extra in extras for requirement in optional[extra]]
    constraints = ROOT / "constraints.txt"
    digest = hashlib.sha256("\n".join([*wanted, constraints.read_text(encoding="utf-8")]).encode()).hexdigest()[:12]
    kind = "-".join(["wheels", *extras])
    folder = CACHE / f"{kind}-{digest}"
    if folder.exists():
        return folder
    for old in CACHE.glob(f"{kind}-{'?' * len(digest)}"):
        shutil.rmtree(old)
    CACHE.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=CACHE))
    try:
        options = ["--quiet", "--only-binary=:all:", "--constraint", str(constraints), "--dest", str(part)]
        _fetched([sys.executable, "-m", "pip", "download", *options, *wanted])
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _fetched(command: Sequence[str]) -> None:
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        last = (process.stderr or process.stdout).strip().splitlines()[-1:]
        raise Unavailable(f"{' '.join(command[:3])}: {' '.join(last)}")


class Buildah:
    """Images in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._options = ["--root", str(folder / "root"), "--runroot", str(folder / "run")]
        # Overlays save minutes of copying; not every machine can stack them.
        driver = next(name for name in ("overlay", "vfs") if self._works(name))
        self._options += ["--storage-driver", driver]
        self._driver = driver

    def _works(self, driver: str) -> bool:
        command = ["buildah", *self._options, "--storage-driver", driver, "info"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def __call__(self, *arguments: str, check: bool = True, **options: Any) -> str:
        """Run a sub-command; its output, errors included."""
        process = subprocess.run(
            ["buildah", *self._options, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            **options,
        )
        assert process.returncode == 0 or not check, process.stdout[-5000:]
        return process.stdout

    def environment(self, folder: Path) -> dict[str, str]:
        """What makes a `buildah` without options use these images; ``folder`` gets its configuration."""
        storage = {"driver": self._driver, "graphroot": f"{self.folder}/root", "runroot": f"{self.folder}/run"}
        lines = [f"{key} = {json.dumps(value)}" for key, value in storage.items()]
        (folder / "storage.conf").write_text("\n".join(["[storage]", *lines, ""]))
        return {"CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"), "BUILDAH_ISOLATION": "chroot"}

    def import_base(self) -> str:
        """The base as an image; its name."""
        container = self("from", "scratch").split()[-1]
        self("add", "--quiet", container, str(base_archive()), "/")
        self("commit", "--quiet", "--rm", container, "newsjudge-base")
        return "localhost/newsjudge-base"

    def build(
        self, context: Path, target: str, wheels: Path, *options: str, env: Mapping[str, str], **arguments: str
    ) -> str:
        """Build ``newsjudge-<target>``, all packages from ``wheels``; the log."""
        given = {"BASE_IMAGE": "localhost/newsjudge-base", "TORCH_INDEX_URL": "", "PIP_NO_INDEX": "1", **arguments}
        return self(
            *("build", "--layers", "--isolation", "chroot", "--file", str(context / "containers" / "Containerfile")),
            *("--target", target, "--tag", f"newsjudge-{target}", "--build-context", f"wheels={wheels}"),
            *(part for name, value in given.items() for part in ("--build-arg", f"{name}={value}")),
            *options,
            str(context),
            env=env,
        )

    def inspect(self, image: str) -> dict[str, Any]:
        """Everything that buildah knows of an image."""
        return json.loads(self("inspect", "--type", "image", image))

    def size(self, image: str) -> int:
        """Bytes of an image's files, unpacked."""
        with self.container(image) as (_, root):
            return int(
                subprocess.run(["du", "-sb", root], capture_output=True, text=True, check=True).stdout.split()[0]
            )

    @contextmanager
    def container(self, image: str, *options: str) -> Iterator[tuple[str, Path]]:
        """A container and where its root is mounted."""
        container = self("from", "--pull-never", *options, image).split()[-1]
        try:
            yield container, Path(self("mount", container).strip())
        finally:
            self("rm", container)

    def run(self, image: str, command: Sequence[str], mounts: Mapping[str, str], *options: str) -> tuple[int, str]:
        """Run a command in a new container; ``mounts`` are ``/path/in/it[:ro]`` to folders here."""
        volumes = [part for inside, here in mounts.items() for part in ("--volume", f"{here}:{inside}")]
        with self.container(image, *options) as (container, _):
            process = subprocess.run(
                ["buildah", *self._options, "run", "--isolation", "chroot", *volumes, container, "--", *command],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
        return process.returncode, process.stdout

    def remove(self) -> None:
        """Remove everything."""
        self("rm", "--all", check=False)
        self("rmi", "--all", "--force", check=False)
        shutil.rmtree(self.folder)
