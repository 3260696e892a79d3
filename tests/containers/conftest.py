"""The images with a small set of packages: no PyTorch, so they judge predictions, and gate."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures.datasets import load_dataset
from tests.containers.engine import ROOT, Buildah, Unavailable, unusable, wheels

SECRET = "key-8c1f0a5d"
"""Known to the build, and to nobody afterwards."""
BUILT_FROM = (".dockerignore", "pyproject.toml", "constraints.txt", "containers", "evals", "fixtures", "training")


@dataclass(frozen=True)
class Built:
    """Images, the folder they were built from, and the log of each build."""

    buildah: Buildah
    context: Path
    log: str
    log_after_a_change: str


@pytest.fixture(scope="session")
def buildah() -> Iterator[Buildah]:
    """Where images can be built; skips where they cannot."""
    if reason := unusable():
        pytest.skip(reason)
    buildah = Buildah(Path(tempfile.mkdtemp(prefix="newsjudge-images-")))
    try:
        buildah.import_base()
        yield buildah
    except Unavailable as error:
        pytest.skip(str(error))
    finally:
        buildah.remove()


@pytest.fixture(scope="session")
def built(buildah: Buildah, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Both images; the one for evaluations was built again after a change of the source."""
    context = tmp_path_factory.mktemp("checkout")
    for name in BUILT_FROM:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, context / name)
    for name in (".env", "evals/.env", "out/report.json"):
        (context / name).parent.mkdir(exist_ok=True)
        (context / name).write_text(f"OPENAI_API_KEY={SECRET}\n")
    pip_conf = tmp_path_factory.mktemp("secret") / "pip.conf"
    pip_conf.write_text(f"[global]\nextra-index-url = https://user:{SECRET}@packages.invalid/simple\n")
    try:
        packages = wheels()
    except Unavailable as error:
        pytest.skip(str(error))

    def build(target: str) -> str:
        arguments = {"EXTRAS": "", "VERSION": "1.2.3", "REVISION": "abc"}
        environment = os.environ | {"OPENAI_API_KEY": SECRET}
        return buildah.build(
            context, target, packages, "--secret", f"id=pip,src={pip_conf}", env=environment, **arguments
        )

    log = build("evaluate")
    with (context / "evals" / "__init__.py").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    built = Built(buildah, context, log, build("evaluate"))
    build("train")
    return built


@dataclass(frozen=True)
class Mounts:
    """Folders as Knitfab mounts them: inputs that cannot be written, an output that is empty."""

    folder: Path

    def __getitem__(self, path: str) -> Path:
        return self.folder / path.strip("/").replace("/", "-")

    def of(self, *inputs: str, output: str) -> dict[str, str]:
        """The mounts of one Run; an input is the output of an earlier one, or was put there."""
        self[output].mkdir()
        # As csi-driver-nfs makes volumes for Knitfab.
        self[output].chmod(0o777)
        return {f"{path}:ro": str(self[path]) for path in inputs} | {output: str(self[output])}


@pytest.fixture
def mounts(tmp_path: Path) -> Mounts:
    """A hundred documents in ``/in/dataset``, and right answers to all of them in ``/in/predictions``."""
    mounts = Mounts(tmp_path)
    for path in ("/in/dataset", "/in/predictions"):
        mounts[path].mkdir()
    rows = [{"text": f"document {number}", "label": f"c{number % 20}"} for number in range(100)]
    data = mounts["/in/dataset"] / "test.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    documents = load_dataset(str(mounts["/in/dataset"]), splits=["test"]).splits["test"]
    answers = [json.dumps({"id": document.id, "predicted": document.label}) for document in documents]
    (mounts["/in/predictions"] / "predictions.jsonl").write_text("\n".join(answers) + "\n")
    return mounts
