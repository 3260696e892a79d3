"""The images, built and run for real: with a small set of packages, and no engine."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import time

import pytest

from fixtures.judge_server import Judge, JudgeServer
from tests.containers.conftest import SECRET
from tests.containers.engine import CACHE
from tests.containers.isolation import first_process, read_only

pytestmark = pytest.mark.slow

IMAGES = ("newsjudge-train", "newsjudge-evaluate")
EVALUATE = ["pytest", "evals", "--dataset", "/in/dataset", "--num-samples", "all", "--fail-on", "never"]
EVALUATE += ["--predictions", "/in/predictions/predictions.jsonl", "--save-to", "/out/report"]


def config_of(built, image):
    return built.buildah.inspect(image)["OCIv1"]["config"]


def asking_slowly(url):
    return ["--judge", f"endpoint:judge@{url}/v1", "--judge-concurrency", "1"]


def read(folder, name="verdict.json"):
    return json.loads((folder / name).read_text(encoding="utf-8"))


# -- how they are built ----------------------------------------------------------


def test_after_a_change_of_the_source_the_packages_come_from_the_cache(built):
    def cached(log, step):
        return log.partition(step)[2].partition("\n")[2].startswith("--> Using cache")

    install, source = "/opt/pip/bin/pip", "COPY . ."
    assert (cached(built.log, install), cached(built.log, source)) == (False, False)
    assert (cached(built.log_after_a_change, install), cached(built.log_after_a_change, source)) == (True, False)


def test_both_images_have_the_same_layers(built):
    layers = [built.buildah.inspect(image)["OCIv1"]["rootfs"]["diff_ids"] for image in IMAGES]
    # What differs is no files: a label and a command.
    assert layers[0][:-2] == layers[1][:-2]


def test_labels_say_what_an_image_is(built):
    labels = config_of(built, "newsjudge-evaluate")["Labels"]
    assert labels["org.opencontainers.image.title"] == "newsjudge-evaluate"
    assert labels["org.opencontainers.image.version"] == "1.2.3"
    assert labels["org.opencontainers.image.revision"] == "abc"


def test_no_secret_of_the_build_is_left_in_any_layer(built):
    found = subprocess.run(["grep", "-rl", SECRET, built.buildah.folder], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (1, "")


def test_nothing_tells_where_it_was_built(built):
    for image in IMAGES:
        said = json.dumps(built.buildah.inspect(image))
        assert [word for word in (str(built.context), str(CACHE), platform.node()) if word in said] == []


def test_only_what_is_needed_is_in_there(built):
    with built.buildah.container("newsjudge-evaluate") as (_, root):
        assert {path.name for path in (root / "app").iterdir()} == {
            *("constraints.txt", "evals", "fixtures", "pyproject.toml", "training")
        }
        assert [path for path in root.glob("app/**/.*") if path.name != "__pycache__"] == []
        assert not list(root.glob("opt/venv/lib/python3*/site-packages/pip"))


def test_the_small_image_is_small(built):
    size = built.buildah.size("newsjudge-evaluate")
    print(f"newsjudge-evaluate without PyTorch: {size / 1e6:.0f} MB")
    assert size < 800e6


# -- how they run ----------------------------------------------------------------


@pytest.mark.parametrize("image", IMAGES)
def test_by_itself_an_image_says_what_it_does(built, image):
    code, output = built.buildah.run(image, config_of(built, image)["Cmd"], {})
    assert (code, "usage: python -m" in output) == (0, True), output


def test_with_knitfabs_mounts_it_evaluates_and_gates(built, mounts):
    code, output = built.buildah.run(
        "newsjudge-evaluate", EVALUATE, mounts.of("/in/dataset", "/in/predictions", output="/out/report")
    )
    assert code == 0, output
    assert {"report.html", "report.json", "junit.xml", "verdict.json"} <= {
        path.name for path in mounts["/out/report"].iterdir()
    }

    mounts["/out/report"].rename(mounts["/in/report"])
    gate = ["python", "-m", "evals", "gate", "/in/report", "--save-to", "/out/verdict"]
    code, output = built.buildah.run("newsjudge-evaluate", gate, mounts.of("/in/report", output="/out/verdict"))
    assert (code, read(mounts["/out/verdict"])["gate"]["outcome"]) == (0, "pass"), output

    strict = [*gate[:-1], "/out/strict", "--min-pass-rate", "0.999"]
    code, output = built.buildah.run("newsjudge-evaluate", strict, mounts.of("/in/report", output="/out/strict"))
    assert (code, read(mounts["/out/strict"])["gate"]["outcome"]) == (4, "inconclusive"), output


def test_on_a_read_only_root_it_evaluates_as_somebody_without_privileges(built, mounts):
    config = config_of(built, "newsjudge-evaluate")
    given = mounts.of("/in/dataset", "/in/predictions", output="/out/report")
    script = 'id -u; touch "$PWD/x" /in/dataset/x 2>&1; exec "$@"'
    with (
        built.buildah.container("newsjudge-evaluate") as (_, root),
        read_only(root, config, ["sh", "-c", script, "sh", *EVALUATE], given) as process,
    ):
        output, _ = process.communicate(timeout=120)

    assert config["User"] == "1000:1000"
    assert output.startswith("1000\n")
    assert output.count("Read-only file system") == 2
    assert (process.returncode, read(mounts["/out/report"])["gate"]["outcome"]) == (0, "pass"), output
    assert "Warning" not in output


def test_as_process_1_it_hears_sigterm_and_reports_what_it_knows(built, mounts):
    config = config_of(built, "newsjudge-evaluate")
    given = mounts.of("/in/dataset", "/in/predictions", output="/out/report")
    with (
        JudgeServer(judge=Judge(latency=0.3)) as server,
        built.buildah.container("newsjudge-evaluate") as (_, root),
        read_only(root, config, [*EVALUATE, *asking_slowly(server.url)], given) as process,
    ):
        deadline = time.monotonic() + 120
        while server.answered < 8 and time.monotonic() < deadline:
            time.sleep(0.05)
        asked = time.monotonic()
        os.kill(first_process(process), signal.SIGTERM)
        output, _ = process.communicate(timeout=60)

    assert (process.returncode, time.monotonic() - asked < 25) == (2, True), output
    report = read(mounts["/out/report"], "report.json")
    assert not report["complete"]
    assert 0 < report["tally"]["passed"] < 100
