"""What can be said of the files without building anything."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from evals.settings import Settings
from tests.containers.compose import FILES, services
from tests.containers.engine import ROOT
from training.__main__ import _parser

STEPS = ("train", "evaluate", "gate")


def test_the_linter_finds_nothing():
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed")
    run = subprocess.run([hadolint, ROOT / "containers" / "Containerfile"], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (0, "")


def test_the_compose_files_are_valid():
    pytest.importorskip("check_jsonschema")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", *FILES]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


def test_no_service_starts_before_what_it_needs():
    needs = {
        name: {other: waits["condition"] for other, waits in service.get("depends_on", {}).items()}
        for name, service in services().items()
    }
    done = "service_completed_successfully"
    # Ollama must be there, then have the model; the model under test must be whole; the report, too.
    assert needs["pull"] == {"ollama": "service_healthy"}
    assert needs["evaluate"] == {"train": done, "pull": done}
    assert needs["gate"] == {"evaluate": done}


@pytest.mark.parametrize("name", STEPS)
def test_a_step_can_write_to_its_output_alone(name):
    step = services()[name]
    writable = [volume for volume in step["volumes"] if not volume.endswith(":ro")]
    assert step["read_only"]
    assert [volume.partition(":")[2] for volume in writable] == ["/out"]


def test_only_the_judge_reaches_the_internet():
    networks = {name: service.get("networks", service.get("network_mode")) for name, service in services().items()}
    assert [name for name, given in networks.items() if "outside" in given] == ["ollama"]
    assert (networks["train"], networks["evaluate"], networks["gate"]) == ("none", ["judge"], "none")
    assert not any("ports" in service for service in services().values())


def test_the_commands_have_options_that_exist():
    assert _parser().parse_args(services()["train"]["command"][3:]).save_to == "/out"
    asked = [part for part in services()["evaluate"]["command"] if part.startswith("--")]
    assert {option.removeprefix("--").replace("-", "_") for option in asked} <= set(Settings.model_fields)


def test_the_files_for_cuda_change_services_that_there_are():
    assert set(services(FILES[1])) <= set(services())
