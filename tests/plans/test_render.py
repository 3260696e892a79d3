"""``python -m plans render``: our Plans are right, and fit the commands that they run."""

import json
from pathlib import Path

import pytest
import yaml

from evals.settings import GatePolicy, Settings
from fixtures.contracts.settings import load_settings, read_config_file
from plans.__main__ import main
from plans.rendering import TEMPLATES
from training.settings import ClassifySettings

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "plans" / "configs"


@pytest.fixture
def render(tmp_path, capsys):
    """Render; returns the exit code, the Plans by name, and what was printed."""

    def run(*options):
        code = main(["render", "--out", str(tmp_path), *options])
        plans = {file.name: yaml.safe_load(file.read_text()) for file in tmp_path.glob("*.yaml")}
        return code, plans, capsys.readouterr()

    return run


@pytest.mark.parametrize("gpus", ["0", "2"])
def test_knitfab_takes_our_plans_together_and_nothing_is_to_be_said_of_them(gpus, render, tmp_path, capsys):
    code, plans, printed = render("--registry", "registry:5000/team", "--project", "news.v2", "--gpus", gpus)
    assert (code, set(plans)) == (0, set(TEMPLATES))
    files = printed.out.split()

    assert main(["check", *files, "--format", "json"]) == 0

    assert [answer["warnings"] for answer in json.loads(capsys.readouterr().out)] == [[], [], [], []]


def test_the_settings_are_in_the_plans(render):
    options = {"registry": "registry:5000", "tag": "v2", "project": "mine", "cpu": "4", "memory": "16Gi", "gpus": "2"}
    _, plans, _ = render(*(part for key, value in options.items() for part in (f"--{key}", value)))
    assert {plan["image"] for plan in plans.values()} == {
        "registry:5000/newsjudge-train:v2",
        "registry:5000/newsjudge-evaluate:v2",
    }
    for plan in plans.values():
        for holder in (*plan["inputs"], *plan["outputs"], plan["log"]):
            assert "project:mine" in holder["tags"]
    for name in ("train.yaml", "evaluate.yaml", "evaluate-shard.yaml"):
        assert plans[name]["resources"] == {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": 2}


def test_no_gpu_is_asked_for_with_none(render):
    _, plans, _ = render("--gpus", "0")
    assert not any("nvidia.com/gpu" in plan["resources"] for plan in plans.values())


def test_settings_from_the_environment(render, monkeypatch):
    monkeypatch.setenv("PLANS_PROJECT", "elsewhere")
    _, plans, _ = render()
    assert "project:elsewhere" in plans["gate.yaml"]["log"]["tags"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--registry", "registry:5000/Team"), "--registry is 'registry:5000/Team'"),
        (("--registry", "docker.io"), "--registry is 'docker.io': must be a registry"),
        (("--registry", 'x:1"\ninputs: []#'), "--registry is"),
        (("--tag", "latest"), "--tag is 'latest': says nothing of what runs; name a version"),
        (("--tag", "v1:x"), "--tag is 'v1:x'"),
        (("--project", 'a", "b:c'), "--project is"),
        (("--project", ""), "--project is '': must consist of"),
        (("--gpus", "0.5"), "--gpus is '0.5'"),
        (("--cpu", "many"), "--cpu is 'many'"),
        (("--cpu", "0"), "cpu: 0 is not above zero"),
        (("--memory", "16"), "16 bytes is too little to be meant"),
    ],
    ids=str,
)
def test_a_setting_that_cannot_be_meant_is_one_line_and_2(options, message, render):
    code, plans, printed = render(*options)
    assert (code, plans) == (2, {})
    assert message in printed.err
    assert "Traceback" not in printed.err


def options_of(arguments):
    return {argument.removeprefix("--").replace("-", "_") for argument in arguments if argument.startswith("--")}


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("train.yaml", ClassifySettings.model_fields),
        ("evaluate.yaml", {**Settings.model_fields, "eval_config_file": None}),
        ("evaluate-shard.yaml", {**Settings.model_fields, "eval_config_file": None}),
        ("gate.yaml", {**GatePolicy.model_fields, "policy": None, "save_to": None}),
    ],
)
def test_the_commands_know_the_options_of_our_plans(name, known, render):
    _, plans, _ = render()
    assert options_of(plans[name]["args"]) <= set(known)


def test_what_a_plan_reads_and_writes_is_mounted(render):
    _, plans, _ = render()
    for plan in plans.values():
        mounts = [mount["path"] for mount in (*plan["inputs"], *plan["outputs"])]
        for path in (argument for argument in plan["args"] if argument.startswith("/")):
            # Training writes its model and its logs into two folders of /out.
            assert any(path.startswith(mount) or mount.startswith(f"{path}/") for mount in mounts), path


@pytest.mark.parametrize(
    ("name", "settings"), [("train", ClassifySettings), ("evaluate", Settings), ("policy", GatePolicy)]
)
def test_the_configs_are_settings_of_the_commands(name, settings):
    load_settings(settings, {}, config_file=CONFIGS / f"{name}.json")


@pytest.mark.parametrize(("plan", "config"), [("train.yaml", "train"), ("evaluate-shard.yaml", "evaluate")])
def test_no_config_takes_back_what_a_plan_says(plan, config, render):
    _, plans, _ = render()
    known = {**ClassifySettings.model_fields, **Settings.model_fields}
    assert not options_of(plans[plan]["args"]) & set(read_config_file(CONFIGS / f"{config}.json", known))


def test_an_evaluation_never_fails_for_its_verdict(render):
    _, plans, _ = render()
    for name in ("evaluate.yaml", "evaluate-shard.yaml"):
        assert plans[name]["args"][:2] == ["--fail-on", "never"]


def test_only_a_gate_says_passed(render):
    _, plans, _ = render()
    saying = [name for name, plan in plans.items() for out in plan["outputs"] if "gate:passed" in out["tags"]]
    assert saying == ["gate.yaml"]


def test_the_docs_list_every_tag_of_our_plans(render):
    _, plans, _ = render()
    used = {
        tag
        for plan in plans.values()
        for holder in (*plan["inputs"], *plan["outputs"], plan["log"])
        for tag in holder["tags"]
        if not tag.startswith("project:")
    }
    table = (ROOT / "docs" / "plans.md").read_text(encoding="utf-8").partition("## Tags")[2].partition("\n## ")[0]
    listed = {tag for row in table.splitlines() if row.startswith("| `") for tag in row.split("`")[1].split(", ")}
    assert listed == used
