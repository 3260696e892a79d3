"""The pipeline on a fake Knitfab, with the commands as processes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from fixtures.knitfab.faults import Script
from fixtures.knitfab.knit.profile import install
from fixtures.knitfab.server import KnitfabServer

ROOT = Path(__file__).parents[2]


def verdict(outcome: str) -> dict[str, str]:
    """The files that the gate writes."""
    gate = {"outcome": outcome, "sentence": f"{outcome.capitalize()}: so it is."}
    return {"/out/verdict/verdict.json": json.dumps({"gate": gate})}


TRAINED = {"image": "train", "files": {"/out/model/manifest.json": "{}"}, "times": None}
MEASURED = {"tag": "type:model", "files": {"/out/report/report.json": "{}"}, "times": None}
PASSED = {"tag": "type:gate-policy", "files": verdict("pass"), "times": None}
ALL_WELL = [TRAINED, MEASURED, PASSED]


class Pipeline:
    """`python -m plans run` in a folder with configs, a data set, and `knit`."""

    def __init__(self, folder: Path, server: KnitfabServer) -> None:
        self.folder, self.server = folder, server
        self.environment = install(folder, server.url) | {"PYTHONPATH": str(ROOT)}
        for name, values in (("train", {}), ("evaluate", {}), ("policy", {"min_pass_rate": 0.5})):
            self.configure(name, values)
        (folder / "dataset").mkdir()
        (folder / "dataset" / "train.jsonl").touch()

    def configure(self, name: str, values: dict) -> None:
        """Write a config."""
        (self.folder / "configs").mkdir(exist_ok=True)
        (self.folder / "configs" / f"{name}.json").write_text(json.dumps(values))

    def play(self, *runs: dict, requests: list[dict] | None = None) -> None:
        """Let Runs, and requests, go as they are described."""
        self.server.add(Script.model_validate({"runs": runs, "requests": requests or []}))

    def run(self, *options: str, command: str = "run") -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        given = ["--configs", "configs", "--dataset", "dataset", "--poll-seconds", "0.1", "--give-up-seconds", "20"]
        return subprocess.run(
            [sys.executable, "-m", "plans", command, *(given if command == "run" else []), *options],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def knit(self, *arguments: str):
        """What `knit` answers."""
        done = subprocess.run(
            ["knit", *arguments], cwd=self.folder, env=self.environment, capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout) if done.stdout.strip() else None

    def requests(self) -> Counter[tuple[str, str]]:
        """How often Plans were applied, Data was uploaded, and Runs were retried."""
        return Counter(
            (request.method, request.path.rpartition("/")[2])
            for request in self.server.requests
            if (request.method, request.path) in {("POST", "/api/plans"), ("POST", "/api/data")}
            or request.path.endswith("/retry")
        )


@pytest.fixture
def pipeline(tmp_path):
    with KnitfabServer(tmp_path / "server", Script(), pace=0.02) as server:
        yield Pipeline(tmp_path, server)
