"""A job of a GitHub workflow, run on this machine.

Each ``run`` is executed as GitHub's runner would: under the same bash options,
if its ``if`` says so, with the same files and environment. Actions are not:
what they were given is noted, an artifact's files are collected, and a cache
hits if the test says so. What is not known here is an error.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ruamel.yaml import YAML

from tests.ci.expressions import evaluate, interpolate

__all__ = ["Annotation", "Job", "Step", "load"]

ACTIONS = {"checkout", "setup-python", "cache/restore", "cache/save", "upload-artifact"}
_ANNOTATION = re.compile(r"^::(notice|warning|error) title=([^:]*)::(.*)$", re.MULTILINE)
_STATUS = re.compile(r"\b(always|cancelled|failure|success)\(\)")


@dataclass(frozen=True)
class Annotation:
    """What GitHub shows on top of a job."""

    kind: str
    title: str
    message: str


@dataclass
class Step:
    """What became of a step."""

    outcome: str
    output: str = ""
    given: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)


def load(path: Path) -> Any:
    """A YAML file as plain objects."""
    return YAML(typ="safe", pure=True).load(path)


class Job:
    """Runs a job in ``checkout`` at once; what it shows is in the attributes.

    ``skipped`` names ``run`` steps that are taken as done, ``hits`` the ids of
    cache steps that find their very key.
    """

    def __init__(
        self,
        workflow: Any,
        name: str,
        checkout: Path,
        temporary: Path,
        *,
        github: dict[str, Any],
        environment: dict[str, str],
        skipped: Set[str],
        hits: Set[str],
    ) -> None:
        job = workflow["jobs"][name]
        assert workflow["defaults"]["run"] == {"shell": "bash"}
        self._checkout, self._temporary, self._skipped, self._hits = checkout, temporary, skipped, hits
        self._summary = temporary / "summary"
        self._summary.touch()
        self._names: dict[str, Any] = {
            "github": github,
            "secrets": {"OPENAI_API_KEY": "", "JUDGE_API_KEY": ""},
            "steps": {},
        }
        self._names["env"] = {key: self._text(value) for key, value in job["env"].items()}
        self._environment = environment | self._names["env"] | {"GITHUB_STEP_SUMMARY": str(self._summary)}
        self.status = "success"
        self.steps: dict[str, Step] = {}
        self.artifacts: dict[str, set[str]] = {}
        for step in job["steps"]:
            self._run(step)
        self.summary = self._summary.read_text(encoding="utf-8")
        self.annotations = [
            # GitHub's runner decodes %25, %0D and %0A, nothing else.
            Annotation(kind, title, re.sub("%25|%0D|%0A", lambda code: unquote(code[0]), message))
            for done in self.steps.values()
            for kind, title, message in _ANNOTATION.findall(done.output)
        ]

    def _value(self, expression: str) -> Any:
        functions = {
            "always": lambda: True,
            "cancelled": lambda: False,
            "failure": lambda: self.status == "failure",
            "success": lambda: self.status == "success",
            "hashFiles": lambda *patterns: "0" * 64 if any(list(self._checkout.glob(one)) for one in patterns) else "",
        }
        return evaluate(expression, self._names, functions)

    def _text(self, value: Any) -> str:
        return interpolate(str(value), self._value)

    def _run(self, step: dict[str, Any]) -> None:
        assert step.keys() <= {"name", "id", "if", "uses", "with", "env", "run"}
        name = step.get("name", step.get("uses"))
        condition = str(step.get("if", "success()")).removeprefix("${{").removesuffix("}}")
        if not _STATUS.search(condition):
            condition = f"success() && ({condition})"
        if not self._value(condition):
            done = Step("skipped")
        elif "uses" in step:
            done = self._action(step)
        elif name in self._skipped:
            done = Step("success")
        else:
            done = self._command(step)
        if done.outcome == "failure":
            self.status = "failure"
        self.steps[name] = done
        if "id" in step:
            self._names["steps"][step["id"]] = {"outcome": done.outcome, "outputs": done.outputs}

    def _command(self, step: dict[str, Any]) -> Step:
        script = self._temporary / "step.sh"
        script.write_text(self._text(step["run"]), encoding="utf-8")
        process = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", script],
            cwd=self._checkout,
            env=self._environment | {key: self._text(value) for key, value in step.get("env", {}).items()},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=300,
            check=False,
        )
        output = process.stdout.decode("utf-8", "replace")
        return Step("failure" if process.returncode else "success", output)

    def _action(self, step: dict[str, Any]) -> Step:
        action = step["uses"].removeprefix("actions/").partition("@")[0]
        assert action in ACTIONS, f"the runner of these tests does not know {step['uses']}"
        done = Step("success", given={key: self._text(value) for key, value in step.get("with", {}).items()})
        if action == "cache/restore":
            done.outputs = {
                "cache-hit": "true" if step.get("id") in self._hits else "false",
                "cache-primary-key": done.given["key"],
            }
        elif action == "upload-artifact":
            folder = self._checkout / done.given["path"]
            files = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
            self.artifacts[done.given["name"]] = files
        return done
