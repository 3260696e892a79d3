"""Trainings that are tracked by the real libraries, and what these have of them."""

from __future__ import annotations

import csv
import json
import os
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.training.chat.conftest import read_rows, write_rows
from tests.training.conftest import environment

Points = dict[tuple[str, int], float]
"""Name and step → figure."""


def clean(**variables: str) -> dict[str, str]:
    """The environment without anybody's trackers in it."""
    kept = {key: value for key, value in environment().items() if not key.startswith(("MLFLOW_", "WANDB_"))}
    # trl counts its users over the network, but for those in CI.
    return {**kept, "CI": "1", **variables}


def start(*arguments: object, stdout: Any = subprocess.PIPE, **variables: str) -> subprocess.Popen[str]:
    """``python -m training``, in a process that may be killed."""
    return subprocess.Popen(
        [sys.executable, "-m", "training", *map(str, arguments)],
        env=clean(PYTHONUNBUFFERED="1", **variables), stdout=stdout, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_for(happened: Any, process: subprocess.Popen[str]) -> None:
    """Until ``happened()``, while the process runs."""
    deadline = time.monotonic() + 120
    while not happened():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def curves(out: Path) -> Points:
    """What ``curves.csv`` says: what all trackers should have."""
    rows = csv.DictReader((out / "curves.csv").read_text().splitlines())
    return {(key, int(row["step"])): float(row[key]) for row in rows for key in row if key != "step" and row[key]}


def final_figures(out: Path) -> dict[str, float]:
    """The single figures of ``metrics.json`` by their path."""
    found: dict[str, float] = {}

    def walk(value: Any, path: str) -> None:
        for key, entry in value.items():
            if isinstance(entry, dict):
                walk(entry, f"{path}{key}/")
            elif isinstance(entry, (int, float)) and key != "schema_version":
                found[path + key] = entry

    walk(json.loads((out / "metrics.json").read_text()), "")
    return found


def in_mlflow(client: Any, run_id: str) -> tuple[Points, dict[str, float]]:
    """Figures by step and final ones. Fails if a name was logged twice at a step."""
    points: Points = {}
    final = {}
    for name in client.get_run(run_id).data.metrics:
        for metric in client.get_metric_history(run_id, name):
            if "/" in name:
                final[name] = metric.value
            else:
                assert (name, metric.step) not in points, f"{name} was logged twice at step {metric.step}"
                points[name, metric.step] = metric.value
    return points, final


def wandb_records(out: Path) -> Iterator[Any]:
    """What the newest offline run in ``out`` consists of.

    Its file is a log of LevelDB, in blocks of 32 KiB, after seven bytes of W&B's own.
    """
    from wandb.proto import wandb_internal_pb2

    newest = max((out / "wandb").glob("offline-run-*"))
    data = next(newest.glob("*.wandb")).read_bytes()
    at, record = 7, b""
    while at < len(data):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        length, kind = struct.unpack_from("<HB", data, at + 4)
        record += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            parsed = wandb_internal_pb2.Record()
            parsed.ParseFromString(record)
            record = b""
            yield parsed


def in_wandb(out: Path) -> tuple[Points, dict[str, float]]:
    """Figures by step, and final ones."""
    points: Points = {}
    final = {}
    for record in wandb_records(out):
        if record.WhichOneof("record_type") == "history":
            row = {(item.key or item.nested_key[0]): json.loads(item.value_json) for item in record.history.item}
            points |= {(key, row["_step"]): value for key, value in row.items() if not key.startswith("_")}
        if record.WhichOneof("record_type") == "summary":
            for item in record.summary.update:
                name = item.key or item.nested_key[0]
                if "/" in name:
                    final[name] = json.loads(item.value_json)
    return points, final


def _events(out: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(out / "logs"), size_guidance={"scalars": 0}).Reload()


def times_in_tensorboard(out: Path, name: str) -> dict[int, float]:
    """Step → when it was measured, in seconds since 1970."""
    return {event.step: event.wall_time for event in _events(out).Scalars(name)}


def in_tensorboard(out: Path) -> tuple[Points, dict[str, float]]:
    """Figures by step, and final ones. Fails if a name was logged twice at a step."""
    run = _events(out)
    points: Points = {}
    final = {}
    for name in run.Tags()["scalars"]:
        for event in run.Scalars(name):
            if "/" in name:
                final[name] = event.value
            else:
                assert (name, event.step) not in points, f"{name} was logged twice at step {event.step}"
                points[name, event.step] = event.value
    return points, final


class Server:
    """A real ``mlflow server``, which may go away and come back with what it has."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        store = f"sqlite:///{self.folder / 'mlflow.db'}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port), "--workers",
             "1", "--backend-store-uri", store, "--artifacts-destination", str(self.folder / "artifacts")],
            env=clean(MLFLOW_DISABLE_TELEMETRY="true"), cwd=self.folder, start_new_session=True,
            stdout=(self.folder / "log").open("ab"), stderr=subprocess.STDOUT,
        )  # fmt: skip
        deadline = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"{self.uri}/health", timeout=1).close()
            except OSError:
                assert time.monotonic() < deadline, (self.folder / "log").read_text()
                assert self.process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.1)
            else:
                return

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, 9)
            self.process.wait()

    def client(self) -> Any:
        from mlflow import MlflowClient

        return MlflowClient(self.uri)

    def runs(self, experiment: str) -> list[Any]:
        """All runs of an experiment."""
        client = self.client()
        return list(client.search_runs([client.get_experiment_by_name(experiment).experiment_id]))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("mlflow-server"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def chats(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options of a small chat training: eight conversations to learn and four to choose on."""
    folder = tmp_path_factory.mktemp("chats")
    train = write_rows(folder / "train.jsonl", read_rows("train")[:8])
    evaluation = write_rows(folder / "eval.jsonl", read_rows("eval")[:4])
    return ["chat", "--train-file", str(train), "--eval-file", str(evaluation), "--base-model", "scratch:llama-tiny",
            "--method", "full", "--learning-rate", "2e-3", "--min-steps", "0"]  # fmt: skip


@pytest.fixture(scope="session")
def classes(options: dict[str, str]) -> list[str]:
    """Options of a training of a classifier that goes on for some seconds."""
    longer = {**options, "--epochs": "30", "--batch-tokens": "512"}
    return ["classify", *(part for option in longer.items() for part in option)]
