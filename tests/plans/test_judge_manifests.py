"""``python -m plans judge``: manifests that Kubernetes takes and that keep to its rules of good conduct."""

from __future__ import annotations

import kubernetes_validate
import pytest
import yaml

from plans.__main__ import main

SERVERS = ("ollama", "vllm")
NAMESPACES = ("judge", "knitfab")


@pytest.fixture(params=[(server, namespace) for server in SERVERS for namespace in NAMESPACES], ids="-".join)
def manifest(request, tmp_path, capsys):
    """The objects by kind."""
    server, namespace = request.param
    options = ["--judge-server", server, "--judge-namespace", namespace, "--judge-model", "llama3.2"]
    assert main(["judge", *options, "--out", str(tmp_path)]) == 0
    # One judge's name is for the command line, so it is said.
    assert f"llama3.2@http://{server}.{namespace}.svc:" in capsys.readouterr().out
    documents = yaml.safe_load_all((tmp_path / f"{server}.yaml").read_text())
    return {document["kind"]: document for document in documents}


def containers(manifest):
    pod = manifest["Deployment"]["spec"]["template"]["spec"]
    return [*pod.get("initContainers", ()), *pod["containers"]]


@pytest.mark.parametrize("version", ["1.28", "1.33"])
def test_kubernetes_takes_it(manifest, version):
    for document in manifest.values():
        kubernetes_validate.validate(document, version, strict=True)


def test_only_another_namespace_than_knitfabs_is_made(manifest):
    names = {document["metadata"].get("namespace", document["metadata"]["name"]) for document in manifest.values()}

    assert len(names) == 1
    assert ("Namespace" in manifest) == (names != {"knitfab"})


def test_images_are_pinned(manifest):
    for container in containers(manifest):
        tag = container["image"].rpartition(":")[2]
        assert tag[0].isdigit() or tag.startswith("v")


def test_nobody_is_root(manifest):
    pod = manifest["Deployment"]["spec"]["template"]["spec"]

    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not pod["automountServiceAccountToken"]
    for container in containers(manifest):
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"]
        assert not context["allowPrivilegeEscalation"]
        assert context["capabilities"] == {"drop": ["ALL"]}


def test_every_container_says_what_it_needs(manifest):
    for container in containers(manifest):
        resources = container["resources"]
        assert {"cpu", "memory"} <= set(resources["requests"])
        assert {"cpu", "memory"} <= set(resources["limits"])


def test_the_model_is_there_before_the_pod_is_ready(manifest):
    pod = manifest["Deployment"]["spec"]["template"]["spec"]
    [server] = pod["containers"]

    assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(server)
    # A hook after the start races with it.
    assert "lifecycle" not in server
    if server["name"] == "ollama":
        assert "ollama pull" in pod["initContainers"][0]["args"][0]
        assert server["readinessProbe"]["exec"]["command"] == ["ollama", "show", "llama3.2"]
    models = {mount["name"] for mount in server["volumeMounts"]} & {
        volume["name"] for volume in pod["volumes"] if "persistentVolumeClaim" in volume
    }
    assert models == {"models"}


def test_only_knitfab_gets_through(manifest):
    policy = manifest["NetworkPolicy"]["spec"]
    labels = manifest["Deployment"]["spec"]["template"]["metadata"]["labels"]
    port = manifest["Service"]["spec"]["ports"][0]["port"]

    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    assert manifest["Service"]["spec"]["selector"].items() <= labels.items()
    assert policy["ingress"] == [
        {
            "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "knitfab"}}}],
            "ports": [{"port": port, "protocol": "TCP"}],
        }
    ]
    assert {port["port"] for rule in policy["egress"] for port in rule["ports"]} == {53, 443}


def test_without_a_gpu_none_is_asked_for(tmp_path, capsys):
    assert main(["judge", "--judge-gpus", "0", "--out", str(tmp_path)]) == 0

    assert "nvidia" not in (tmp_path / "ollama.yaml").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--judge-namespace", "Judge"], "--judge-namespace is 'Judge': must be a name in Kubernetes"),
        (["--judge-model", "x\ny"], "--judge-model is 'x\\ny': must be a model's name"),
        (["--judge-server", "tgi"], "--judge-server is 'tgi': must be 'ollama' or 'vllm'"),
        (["--judge-server", "vllm", "--judge-gpus", "0"], "--judge-server vllm needs --judge-gpus 1"),
        (["--judge-memory", "much"], "--judge-memory is 'much'"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, capsys, options, message):
    assert main(["judge", *options, "--out", str(tmp_path)]) == 2

    assert capsys.readouterr().err.startswith(f"error: {message}")
