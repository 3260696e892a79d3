"""A folder runs Plans as Knitfab does."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from fixtures.contracts.errors import UserError
from plans.knitfab.server import accept
from plans.knitfab.source import read_plan
from plans.knitfab.spec import Tag
from plans.local import LocalPlatform
from plans.local.execution import ENGINES
from plans.platform import PlatformError

UPPER = """
import pathlib, sys
word = pathlib.Path(sys.argv[1], 'text').read_text()
pathlib.Path(sys.argv[2], 'text').write_text(word.upper())
"""


def plan(code: str, *, takes: tuple[str, ...] = ("word",), gives: str = "shout") -> str:
    """A Plan that runs ``code`` with its folders as arguments."""
    return json.dumps(
        {
            "image": "localhost:30503/little:v1",
            "entrypoint": ["python", "-c", code],
            "args": [*(f"/in/{kind}" for kind in takes), f"/out/{gives}"],
            "inputs": [{"path": f"/in/{kind}", "tags": [f"type:{kind}", "project:p"]} for kind in takes],
            "outputs": [{"path": f"/out/{gives}", "tags": [f"type:{gives}", "project:p"]}],
        }
    )


@pytest.fixture
def platform(tmp_path):
    return LocalPlatform(tmp_path / "knitfab", ENGINES["processes"], lambda line: None)


@pytest.fixture
def push(platform, tmp_path):
    def pushed(kind: str, text: str) -> str:
        folder = tmp_path / "pushed" / kind / text
        folder.mkdir(parents=True)
        (folder / "text").write_text(text)
        return platform.push(folder, [Tag("type", kind), Tag("project", "p")])

    return pushed


def apply(platform: LocalPlatform, text: str) -> str:
    return platform.apply(text, accept(read_plan(text).request, []))


def texts(platform: LocalPlatform, plan_id: str, kind: str, tmp_path: Path) -> list[str]:
    found = []
    for run in platform.runs(plan_id):
        platform.pull(run.outputs[f"/out/{kind}"], tmp_path / "pulled")
        found.append((tmp_path / "pulled" / "text").read_text())
    return found


def test_a_plan_runs_once_for_each_combination_of_data(platform, push, tmp_path):
    both = """
import pathlib, sys
*inputs, output = sys.argv[1:]
pathlib.Path(output, 'text').write_text(''.join(pathlib.Path(path, 'text').read_text() for path in inputs))
"""
    joined = apply(platform, plan(both, takes=("left", "right"), gives="joined"))
    for kind, text in (("left", "a"), ("right", "1"), ("right", "2")):
        push(kind, text)
    platform.wait()
    platform.wait()

    assert sorted(texts(platform, joined, "joined", tmp_path)) == ["a1", "a2"]
    with pytest.raises(PlatformError, match="no Run is left"):
        platform.wait()


def test_what_one_plan_makes_starts_the_next(platform, push, tmp_path):
    apply(platform, plan(UPPER))
    again = apply(platform, plan(UPPER, takes=("shout",), gives="echo"))
    push("word", "hello")
    platform.wait()
    platform.wait()

    assert texts(platform, again, "echo", tmp_path) == ["HELLO"]


def test_a_failed_run_keeps_what_it_wrote_and_starts_nothing(platform, push, tmp_path):
    shouting = apply(platform, plan(f"{UPPER}print('no good')\nsys.exit(3)"))
    apply(platform, plan(UPPER, takes=("shout",), gives="echo"))
    push("word", "hello")
    platform.wait()

    [run] = platform.runs(shouting)
    assert (run.status, run.exit_code) == ("failed", 3)
    assert platform.log(run.id) == "no good\n"
    assert texts(platform, shouting, "shout", tmp_path) == ["HELLO"]
    with pytest.raises(PlatformError, match="no Run is left"):
        platform.wait()


def test_a_retried_run_starts_with_empty_outputs(platform, push, tmp_path):
    once = (
        "import pathlib, sys; assert not any(pathlib.Path(sys.argv[2]).iterdir()); "
        "pathlib.Path(sys.argv[2], 'text').touch(); sys.exit(1)"
    )
    plan_id = apply(platform, plan(once))
    push("word", "hello")
    platform.wait()
    platform.retry(platform.runs(plan_id)[0].id)
    platform.wait()

    [run] = platform.runs(plan_id)
    assert run.exit_code == 1
    assert "AssertionError" not in platform.log(run.id)


def test_nobody_writes_to_an_input(platform, push):
    spoiling = (
        "import os, pathlib, sys; f = pathlib.Path(sys.argv[1], 'text'); os.chmod(f, 0o666); f.write_text('mine')"
    )
    plan_id = apply(platform, plan(spoiling))
    push("word", "hello")
    platform.wait()

    [run] = platform.runs(plan_id)
    assert (run.status, run.exit_message) == ("failed", "wrote to its read-only input /in/word")


def test_equal_plans_and_equal_data_are_there_once(platform, tmp_path):
    (tmp_path / "x").mkdir()
    tags = [Tag("type", "word")]

    assert apply(platform, plan(UPPER)) == apply(platform, plan(UPPER))
    assert platform.push(tmp_path / "x", tags) == platform.push(tmp_path / "x", tags)


def test_a_run_that_was_killed_is_done_again(platform, push, tmp_path):
    plan_id = apply(platform, plan("import os; os.kill(os.getppid(), 9)"))
    push("word", "hello")
    if (child := os.fork()) == 0:
        platform.wait()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -9

    again = LocalPlatform(tmp_path / "knitfab", lambda spec, mounts, log: 0, lambda line: None)
    assert [run.status for run in again.runs(plan_id)] == ["waiting"]
    again.wait()
    assert [run.status for run in again.runs(plan_id)] == ["done"]


def test_pushed_files_cannot_be_changed_by_accident(platform, push, tmp_path):
    data_id = push("word", "hello")

    file = tmp_path / "knitfab" / "data" / data_id / "text"
    assert not stat.S_IMODE(file.stat().st_mode) & 0o222


@pytest.mark.parametrize("content", ["{", '{"plans": {}}', "[]"])
def test_a_folder_of_something_else_is_left_alone(tmp_path, content):
    (tmp_path / "state.json").write_text(content)

    with pytest.raises(UserError, match="damaged or of another program"):
        LocalPlatform(tmp_path, ENGINES["processes"], print)


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").touch()

    with pytest.raises(UserError, match="holds other files"):
        LocalPlatform(tmp_path, ENGINES["processes"], print)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
