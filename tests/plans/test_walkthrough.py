"""docs/knitfab.md, command by command.

Knitfab is the fake, and plays the Runs; everything on this side of it is real.
`docker` and `kubectl`, which are not here, are scripts that check what they are
given: images themselves are built in tests/containers. The data set is our own
small one, in the form of scikit-learn's cache.
"""

from __future__ import annotations

import codecs
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sklearn.utils import Bunch

from fixtures.contracts.files import write_jsonl
from fixtures.datasets import load_dataset
from tests.plans.conftest import ALL_WELL, ROOT

DOCKER = """
import argparse, os, subprocess, sys, tempfile
from pathlib import Path
from plans.local.root import command_in_root, path_of_image

parser = argparse.ArgumentParser(allow_abbrev=False)
commands = parser.add_subparsers(dest="command", required=True)
build = commands.add_parser("build")
for option in ("-f", "--target", "-t"):
    build.add_argument(option, required=True)
build.add_argument("context")
push = commands.add_parser("push")
push.add_argument("image")
run = commands.add_parser("run")
run.add_argument("--rm", action="store_true", required=True)
run.add_argument("--volume", action="append", default=[])
run.add_argument("--entrypoint", required=True)
run.add_argument("image")
run.add_argument("arguments", nargs=argparse.REMAINDER)
given = parser.parse_args()
known = Path(".images")
images = set(known.read_text().split()) if known.exists() else set()
if given.command == "build":
    assert f"AS {given.target}\\n" in Path(given.f).read_text() and Path(given.context).is_dir()
    known.write_text("\\n".join(images | {given.t}))
else:
    assert given.image in images, f"no such image: {given.image}"
if given.command == "run":
    mounts = {target: Path(source) for source, target, _ in (volume.split(":") for volume in given.volume)}
    with tempfile.TemporaryDirectory() as root:
        command = command_in_root([given.entrypoint, *given.arguments], mounts, Path(root))
        sys.exit(subprocess.run(command, env=os.environ | {"PATH": path_of_image()}, cwd=os.environ["APP"]).returncode)
"""

KUBECTL = """
import sys
import kubernetes_validate, yaml
if sys.argv[1:3] == ["apply", "-f"]:
    for document in yaml.safe_load_all(open(sys.argv[3])):
        kubernetes_validate.validate(document, "1.33", strict=True)
else:
    assert sys.argv[1] == "-n"
"""


def blocks(page: str) -> list[tuple[str, str]]:
    """The shell commands of a page, with the headings they stand below."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    found, heading = [], ""
    for match in re.finditer(r"^## ([^\n]+)$|^```bash\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if match[1]:
            heading = match[1]
        else:
            found.append((heading, match[2]))
    return found


@pytest.fixture
def desk(pipeline):
    """A checkout with small configs, the commands, and a data set that was downloaded before."""
    folder = pipeline.folder
    for name in ("containers", "fixtures"):
        (folder / name).symlink_to(ROOT / name, target_is_directory=True)
    (folder / "configs").rename(folder / "small")
    (folder / "plans").mkdir()
    (folder / "small").rename(folder / "plans" / "configs")
    for name, script in (("docker", DOCKER), ("kubectl", KUBECTL)):
        path = folder / "bin" / name
        path.write_text(f"#!{sys.executable}\n{script}")
        path.chmod(0o755)
    bin_folder = str(Path(sys.executable).parent)
    environment = pipeline.environment | {
        "SCIKIT_LEARN_DATA": str(folder),
        "APP": str(ROOT),
        "PLANS_POLL_SECONDS": "0.1",
    }
    environment["PATH"] = f"{folder / 'bin'}:{bin_folder}:{environment['PATH']}"
    dataset = load_dataset("embedded")
    cache = {
        split: Bunch(
            data=[document.text for document in documents],
            target=np.array([dataset.labels.index(document.label) for document in documents]),
            target_names=list(dataset.labels),
            filenames=np.array([document.id for document in documents]),
        )
        for split, documents in dataset.splits.items()
    }
    (folder / "20news-bydate_py3.pkz").write_bytes(codecs.encode(pickle.dumps(cache), "zlib_codec"))
    return pipeline, environment


def shard_reports(folder: Path, environment: dict[str, str]) -> Iterator[dict]:
    """Runs that leave the real reports of two shards."""
    documents = load_dataset("embedded").splits["test"]
    write_jsonl(folder / "answers.jsonl", ({"id": entry.id, "predicted": entry.label} for entry in documents))
    for number in (1, 2):
        out = folder / f"shard-{number}"
        options = ["--dataset", "embedded", "--predictions", folder / "answers.jsonl", "--num-samples", "60"]
        command = [sys.executable, "-m", "pytest", "evals", *options, "--shard", f"{number}/2", "--save-to", out]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
        files = {f"/out/report/{name}": (out / name).read_text() for name in ("report.json", "verdict.json")}
        yield {"tag": "type:shard", "files": files}


@pytest.mark.slow
def test_every_command_of_the_walkthrough_works(desk):
    pipeline, environment = desk
    configs = pipeline.folder / "plans" / "configs"
    train = '{"base_model": "embedded:minilm", "method": "head", "max_length": 32}'
    (configs / "train.json").write_text(train)
    (configs / "evaluate.json").write_text('{"num_samples": 60}')
    (configs / "policy.json").write_text('{"min_pass_rate": 0.3}')
    pipeline.play(*shard_reports(pipeline.folder, environment), *ALL_WELL)

    said = {}
    for heading, commands in blocks("knitfab.md"):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=pipeline.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"{heading}\n{commands}\n{done.stdout}{done.stderr}"
        said[heading] = said.get(heading, "") + done.stdout

    assert said["3. Try it on this machine"].splitlines()[-1].startswith("Pass: ")
    assert said["6. Run"].count("valid") >= 3
    assert "evaluate: 2 of 2 done" in said["7. Evaluate in shards"]
    assert "ollama:llama3.2@http://ollama.judge.svc:11434" in said["8. Let an LLM judge"]
    assert (pipeline.folder / "out/local/report/report.html").is_file()
    assert (pipeline.folder / "out/knitfab-run/report/report.json").is_file()
    assert {run["status"] for run in pipeline.knit("run", "find")} <= {"invalidated"}


def test_both_languages_have_the_same_commands():
    assert [commands for _, commands in blocks("knitfab.ja.md")] == [commands for _, commands in blocks("knitfab.md")]
