"""The requests that real ``knit`` sent, and the words in which real ``knitd`` answered."""

import json

import pytest

from plans.knitfab.server import ServerRefused, accept
from plans.knitfab.source import CliRefused, read_plan


@pytest.fixture
def recorded(shared_data):
    def exchange(name):
        return json.loads((shared_data / "knitfab" / "transcripts" / f"{name}.http.json").read_text())[0]

    return exchange


APPLIED = (
    "plan-apply-train",
    "plan-apply-evaluate",
    "plan-apply-400-invalid",
    "plan-apply-409-cycle",
    "plan-apply-409-equivalent",
)


@pytest.mark.parametrize("name", APPLIED)
def test_the_request_is_the_recorded_one_to_the_byte(name, recorded):
    sent = recorded(name)["request"]
    # Every JSON is YAML; the keys are turned round, for knit has its own order.
    text = json.dumps(dict(reversed(sent["body"].items())))

    request = read_plan(text).request

    assert json.dumps(request) == json.dumps(sent["body"])
    assert len(json.dumps(request, separators=(",", ":"))) == int(sent["headers"]["Content-Length"])


@pytest.mark.parametrize("name", ["plan-apply-train", "plan-apply-evaluate"])
def test_the_registered_plan_is_the_recorded_one(name, recorded):
    exchange = recorded(name)
    answer = exchange["response"]["body"]

    plan = accept(exchange["request"]["body"], [])

    assert (plan.image, list(plan.entrypoint), list(plan.args)) == tuple(
        answer[key] for key in ("image", "entrypoint", "args")
    )
    for kind in ("inputs", "outputs"):
        assert [(mount.path, sorted(map(str, mount.tags))) for mount in getattr(plan, kind)] == [
            (mount["path"], mount["tags"]) for mount in answer[kind]
        ]
    assert sorted(map(str, plan.log)) == answer["log"]["tags"]
    assert (plan.resources, plan.active) == (answer["resources"], answer["active"])


@pytest.mark.parametrize("name", ["plan-apply-400-invalid", "plan-apply-409-cycle", "plan-apply-409-equivalent"])
def test_a_refusal_has_the_recorded_status_and_words(name, recorded):
    exchange = recorded(name)
    registered = [accept(recorded("plan-apply-train")["request"]["body"], [])]

    with pytest.raises(ServerRefused) as refusal:
        accept(exchange["request"]["body"], registered)

    assert refusal.value.status == exchange["response"]["status"]
    # Before its reason, Knitfab names places in its own code.
    message = exchange["response"]["body"]["message"]
    reason, cause, told = message.partition("\n caused by:")
    assert refusal.value.message == reason + cause + told.split(" <- ")[-1]


def test_knits_own_words(shared_data):
    told = (shared_data / "knitfab" / "transcripts" / "plan-apply-cli-parse-error.stderr").read_text()
    with pytest.raises(CliRefused) as refusal:
        read_plan("inputs: [{path: /in, tags: [model]}]")
    assert refusal.value.message == told.strip()


def test_the_default_resources():
    plan = accept({"image": "program:v1", "inputs": [{"path": "/in", "tags": ["a:b"]}]}, [])
    assert plan.resources == {"cpu": "1", "memory": "1Gi"}
    assert plan.active
