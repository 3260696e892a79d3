"""The images as they are shipped, with PyTorch: the compose file's steps, trained and judged for real.

Gigabytes and minutes, so only where ``NEWSJUDGE_FULL_IMAGES`` is set: ::

    NEWSJUDGE_FULL_IMAGES=1 pytest tests/containers/test_full_images.py -s
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

from fixtures.judge_server import OLLAMA, JudgeServer
from tests.containers.compose import services
from tests.containers.engine import ROOT, Unavailable, wheels

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("NEWSJUDGE_FULL_IMAGES"), reason="NEWSJUDGE_FULL_IMAGES is not set"),
]
EXTRAS = ("train", "embedded", "judge-hf")


@pytest.fixture
def told():
    """Prints how long what was done since the last time took."""
    last = time.monotonic()

    def tell(what):
        nonlocal last
        print(f"{what}: {time.monotonic() - last:.0f} s")
        last = time.monotonic()

    return tell


@pytest.fixture(scope="module")
def images(buildah):
    """Both images are built."""
    try:
        packages = wheels(EXTRAS)
    except Unavailable as error:
        pytest.skip(str(error))
    for target in ("train", "evaluate"):
        started = time.monotonic()
        buildah.build(ROOT, target, packages, env=os.environ, EXTRAS=",".join(EXTRAS))
        size = buildah.size(f"newsjudge-{target}") / 1e9
        print(f"newsjudge-{target}: {size:.2f} GB, built in {time.monotonic() - started:.0f} s")
    return buildah


def test_the_pipeline_of_our_plans_runs_in_the_images(images, tmp_path, told):
    """`plans local`: the Plans, triggered as Knitfab does, each in its image."""
    for target in ("train", "evaluate"):
        images("tag", f"newsjudge-{target}", f"localhost:30503/newsjudge-{target}:v1.0")
    train = {"base_model": "embedded:minilm", "method": "head", "max_length": 64}
    configs = {"train": train, "evaluate": {"num_samples": 60}, "policy": {"min_pass_rate": 0.5}}
    (tmp_path / "configs").mkdir()
    for name, values in configs.items():
        (tmp_path / "configs" / f"{name}.json").write_text(json.dumps(values))
    dataset = [sys.executable, "-m", "training", "data", "--dataset", "embedded", "--save-to", tmp_path / "dataset"]
    subprocess.run(dataset, cwd=ROOT, check=True)

    def pipeline(*options):
        command = [sys.executable, "-m", "plans", "local", "--engine", "buildah", "--gpus", "0", *options]
        for name in ("configs", "dataset", "folder", "out"):
            command += [f"--{name}", tmp_path / name]
        done = subprocess.run(command, cwd=ROOT, env=os.environ | images.environment(tmp_path), check=False)
        told(f"pipeline {' '.join(options)}")
        return done.returncode

    assert pipeline() == 0
    assert json.loads((tmp_path / "out" / "verdict" / "verdict.json").read_text())["gate"]["outcome"] == "pass"
    assert (tmp_path / "out" / "report" / "report.html").is_file()
    assert pipeline("--shards", "2") == 0


def test_the_compose_files_steps_train_evaluate_and_gate(images, tmp_path, told):
    buildah = images

    def folder_of(source):
        if source.startswith("."):
            return (ROOT / "containers" / source).resolve()
        (tmp_path / source).mkdir(exist_ok=True)
        (tmp_path / source).chmod(0o777)
        return tmp_path / source

    with JudgeServer(judge=OLLAMA, port=11434):
        for name in ("train", "evaluate", "gate"):
            step = services()[name]
            volumes = [volume.partition(":")[::2] for volume in step["volumes"]]
            image, mounts = step["image"].partition(":")[0], {inside: str(folder_of(here)) for here, inside in volumes}
            code, output = buildah.run(image, step["command"], mounts, "--add-host", "ollama:127.0.0.1")
            print(output[-3000:])
            assert code == 0, output
            told(name)

    report = json.loads((tmp_path / "evaluation" / "report.json").read_text(encoding="utf-8"))
    assert report["complete"]
    assert json.loads((tmp_path / "verdict" / "verdict.json").read_text(encoding="utf-8"))["gate"]["outcome"] == "pass"
