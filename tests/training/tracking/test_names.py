"""One training, tracked everywhere at once: the same names and figures in each place, and nothing sent anywhere."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fixtures.contracts.settings import load_settings
from tests.training.tracking.conftest import (
    curves,
    final_figures,
    in_mlflow,
    in_tensorboard,
    in_wandb,
    start,
    wandb_records,
)  # fmt: skip
from training.chat.settings import ChatSettings

pytestmark = pytest.mark.slow

SECRET = "hunter2"


@dataclass
class Tracked:
    out: Path
    stdout: str
    connections: int
    client: Any
    run: Any


@pytest.fixture(scope="module")
def tracked(chats, tmp_path_factory):
    """A chat training without any setting of a tracker, in a network that counts who asks for it."""
    from mlflow import MlflowClient

    out = tmp_path_factory.mktemp("tracked") / "out"
    connections = 0
    with socket.create_server(("127.0.0.1", 0)) as trap:

        def count():
            nonlocal connections
            while True:
                try:
                    trap.accept()[0].close()
                except OSError:
                    return
                connections += 1

        threading.Thread(target=count, daemon=True).start()
        proxy = f"http://127.0.0.1:{trap.getsockname()[1]}"
        process = start(
            *chats, "--epochs", 4, "--track", "mlflow,wandb", "--save-to", out,
            HTTP_PROXY=proxy, HTTPS_PROXY=proxy, http_proxy=proxy, https_proxy=proxy, NO_PROXY="", no_proxy="",
            HOME=str(out.parent), DATABASE_PASSWORD=SECRET,
        )  # fmt: skip
        stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr
    assert "Traceback" not in stderr
    client = MlflowClient(f"sqlite:///{out / 'mlflow' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("newsjudge")
    (run,) = client.search_runs([experiment.experiment_id])
    return Tracked(out, stdout, connections, client, run)


def test_the_figures_of_every_step_are_the_same_in_every_tracker(tracked):
    expected = curves(tracked.out)
    assert {"epoch", "train_loss", "validation_loss", "learning_rate"} <= {name for name, _ in expected}
    assert ("validation_loss", 0) in expected

    for points, _ in (in_mlflow(tracked.client, tracked.run.info.run_id), in_wandb(tracked.out)):
        assert points == expected
    # TensorBoard keeps them in 32 bits.
    points, _ = in_tensorboard(tracked.out)
    assert points == pytest.approx(expected, rel=1e-6)


def test_final_figures_are_named_by_their_path_in_the_metrics(tracked):
    expected = final_figures(tracked.out)
    assert {"validation/model/loss", "validation/before/loss", "training/best_step"} <= set(expected)

    assert in_mlflow(tracked.client, tracked.run.info.run_id)[1] == expected
    assert in_wandb(tracked.out)[1] == expected
    assert in_tensorboard(tracked.out)[1] == pytest.approx(expected, rel=1e-6)


def test_parameters_are_the_settings_of_the_manifest(tracked):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    settings = json.loads((tracked.out / "model" / "manifest.json").read_text())["settings"]
    expected = {
        name: ",".join(value) if isinstance(value, list) else value
        for name, value in settings.items() if value is not None
    } | {"steps": 8, "processes": 1}  # fmt: skip

    assert tracked.run.data.params == {name: str(value) for name, value in expected.items()}
    (run,) = (record.run for record in wandb_records(tracked.out) if record.WhichOneof("record_type") == "run")
    config = {item.key: json.loads(item.value_json) for item in run.config.update}
    assert {name: value for name, value in config.items() if name != "_wandb"} == expected
    content = EventAccumulator(str(tracked.out / "logs")).Reload().PluginTagToContent("hparams")
    start = HParamsPluginData.FromString(content["_hparams_/session_start_info"]).session_start_info
    assert set(start.hparams) == set(expected)
    assert start.hparams["learning_rate"].number_value == expected["learning_rate"]


FILES = {"metrics.json", "curves.csv", "curves.png", "settings.json", "model/manifest.json"}


def test_artifacts_stand_where_they_stand_on_disk(tracked, tmp_path):
    client, run_id = tracked.client, tracked.run.info.run_id
    folder = Path(client.download_artifacts(run_id, "", str(tmp_path)))
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == FILES
    for name in FILES - {"settings.json"}:
        assert (folder / name).read_bytes() == (tracked.out / name).read_bytes()

    (artifact,) = (one.artifact for one in wandb_records(tracked.out) if one.WhichOneof("record_type") == "artifact")
    contents = {entry.path: Path(entry.local_path) for entry in artifact.manifest.contents}
    assert set(contents) == FILES
    assert contents["curves.csv"].read_bytes() == (tracked.out / "curves.csv").read_bytes()


def test_the_settings_among_the_artifacts_start_the_same_training_again(tracked, tmp_path):
    path = Path(tracked.client.download_artifacts(tracked.run.info.run_id, "settings.json", str(tmp_path)))
    again, _ = load_settings(ChatSettings, {"save_to": str(tracked.out)}, config_file=path)

    assert again.recorded() == json.loads((tracked.out / "model" / "manifest.json").read_text())["settings"]


def test_the_model_in_mlflow_is_the_model(tracked, monkeypatch):
    import mlflow
    import torch
    from transformers import AutoModelForCausalLM

    (logged,) = tracked.client.search_logged_models([tracked.run.info.experiment_id])
    assert logged.source_run_id == tracked.run.info.run_id
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tracked.out / 'mlflow' / 'mlflow.db'}")
    mlflow.set_tracking_uri(f"sqlite:///{tracked.out / 'mlflow' / 'mlflow.db'}")
    pipeline = mlflow.transformers.load_model(logged.model_uri)
    ids = pipeline.tokenizer("What are your opening hours?", return_tensors="pt")["input_ids"]
    ours = AutoModelForCausalLM.from_pretrained(tracked.out / "model")
    with torch.no_grad():
        torch.testing.assert_close(pipeline.model(ids).logits, ours(ids).logits)


def test_nothing_is_sent_anywhere(tracked):
    assert tracked.connections == 0
    assert "(offline)" in tracked.stdout
    # Nor left outside the folder.
    assert {path.name for path in tracked.out.parent.iterdir()} <= {"out", ".config", ".cache", ".triton"}
    assert not list(tracked.out.parent.glob(".cache/wandb/**/*"))


def test_the_environment_is_no_parameter_and_no_artifact(tracked):
    files = [path for path in tracked.out.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert SECRET.encode() not in path.read_bytes(), path


def test_both_are_told_where_to_look(tracked):
    assert (
        f"mlflow: run {tracked.run.info.run_id} in sqlite:///{tracked.out / 'mlflow' / 'mlflow.db'}" in tracked.stdout
    )
    assert f"wandb: run {max((tracked.out / 'wandb').glob('offline-run-*'))} (offline)" in tracked.stdout


def test_diagnose_reads_the_events(tracked, tmp_path):
    shutil.copytree(tracked.out / "logs", tmp_path / "logs")
    process = start("diagnose", tmp_path / "logs", "--format", "json")
    stdout, stderr = process.communicate()

    assert process.returncode == 0, stderr
    assert "validation_loss" in stdout
