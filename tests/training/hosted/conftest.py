"""A hosted service on loopback, and the command line as a user runs it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from fixtures.contracts.files import write_jsonl
from fixtures.hosted_server import FilePlan, HostedServer, JobPlan, RequestFault, Script
from training.__main__ import main

ROOT = Path(__file__).parents[3]
KEY = "sk-test-0123456789abcdef"
BASE = "gpt-4o-mini-2024-07-18"


@dataclass(frozen=True)
class Run:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def error(self) -> str:
        """What it complains of, without the notice that every command prints."""
        lines = self.stderr.splitlines()
        return "\n".join(line for line in lines if not line.startswith("notice: OpenAI's"))


def conversation(number: int, **more: Any) -> dict[str, Any]:
    turns = [{"role": "user", "content": f"Question {number}?"}, {"role": "assistant", "content": f"Answer {number}."}]
    return {"messages": turns, **more}


class Desk:
    """A folder to work in, and a service to ask."""

    def __init__(self, folder: Path, server: HostedServer | None) -> None:
        self.folder = folder
        self.server = server

    def environment(self, **variables: str | None) -> dict[str, str]:
        foreign = ("TRAINING_", "OPENAI_", "AZURE_")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
        here = {"PYTHONPATH": str(ROOT), "OPENAI_API_KEY": KEY, "NO_PROXY": "127.0.0.1", "COLUMNS": "200"}
        here["TIKTOKEN_CACHE_DIR"] = str(self.folder / "no-tables")
        if self.server:
            here["OPENAI_BASE_URL"] = self.server.url
        return {key: value for key, value in {**kept, **here, **variables}.items() if value is not None}

    def start(self, *arguments: object, **variables: str | None) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "training", "hosted", *map(str, arguments)]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment(**variables),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *arguments: object, **variables: str | None) -> Run:
        """Within this process, to save the seconds of its imports; `start` makes one of its own."""
        stdout, stderr = io.StringIO(), io.StringIO()
        environment = mock.patch.dict(os.environ, self.environment(**variables), clear=True)
        with environment, contextlib.chdir(self.folder), redirect_stdout(stdout), redirect_stderr(stderr):
            code = main(["hosted", *map(str, arguments)])
        assert KEY not in stdout.getvalue() + stderr.getvalue()
        return Run(code, stdout.getvalue(), stderr.getvalue())

    def write(self, name: str, rows: Sequence[dict[str, Any]]) -> Path:
        write_jsonl(self.folder / name, rows)
        return self.folder / name

    def conversations(self, count: int, name: str = "train.jsonl") -> Path:
        return self.write(name, [conversation(number) for number in range(1, count + 1)])

    def job(self, *arguments: object) -> str:
        """The id of a new job."""
        run = self.run("create", "--model", BASE, *arguments)
        assert run.code == 0, run.stderr
        return next(line.split()[1].rstrip(":") for line in run.stdout.splitlines() if line.startswith("job "))

    def model(self, *arguments: object) -> str:
        """The name of a fine-tuned model that answers."""
        job = self.job("--train-file", self.conversations(10, "made.jsonl"), *arguments)
        run = self.run("watch", job, "--poll-seconds", "0.05")
        assert run.code == 0, run.stderr
        return next(line.split()[1].rstrip(",") for line in run.stdout.splitlines() if line.startswith("model "))

    def asked(self, method: str, end: str) -> list[Any]:
        """The bodies of the requests to a path."""
        assert self.server
        requests = self.server.requests
        return [
            request.body
            for request in requests
            if request.method == method and request.path.split("?")[0].endswith(end)
        ]


@pytest.fixture
def alone(tmp_path: Path) -> Desk:
    """Without any service."""
    return Desk(tmp_path, None)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """With a service at which all goes well, until a test has something go wrong."""
    with HostedServer(key=KEY, pace=0.002) as server:
        yield Desk(tmp_path, server)


def goes_wrong(desk: Desk, *faults: RequestFault, files: Sequence[FilePlan] = (), jobs: Sequence[JobPlan] = ()) -> None:
    assert desk.server
    desk.server.add(Script(requests=faults, files=files, jobs=jobs))


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
