"""``python -m plans clean`` leaves nothing behind, and takes nothing from others."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from plans.cleaning import Leftover, plan_cleaning
from tests.plans.conftest import ALL_WELL


def test_first_it_only_says_what_it_would_do(pipeline):
    pipeline.play(*ALL_WELL)
    pipeline.run()
    before = pipeline.knit("run", "find")

    done = pipeline.run(command="clean")

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("deactivate Plan ") == 3
    assert done.stdout.count("remove Run ") == 7
    assert "nothing was done; --yes does it: 3 Plans and 7 Runs" in done.stdout
    assert pipeline.knit("run", "find") == before


def test_then_everything_is_gone(pipeline):
    pipeline.play(*ALL_WELL)
    pipeline.run()

    done = pipeline.run("--yes", command="clean")

    assert done.returncode == 0, done.stderr
    assert {run["status"] for run in pipeline.knit("run", "find")} <= {"invalidated"}
    assert pipeline.knit("data", "find") in (None, [])
    assert not any(plan["active"] for plan in pipeline.knit("plan", "find") if plan.get("image"))
    again = pipeline.run(command="clean")
    assert again.stdout == "there is nothing of the project news-classification\n"


def test_what_another_project_uses_stays(pipeline):
    pipeline.play(*ALL_WELL, {"image": "reader", "times": None})
    pipeline.run()
    reader = {
        "image": "localhost:30503/reader:v1",
        "inputs": [{"path": "/in", "tags": ["type:model"]}],
        "outputs": [{"path": "/out", "tags": ["project:other"]}],
    }
    (pipeline.folder / "reader.yaml").write_text(json.dumps(reader))
    plan_id = pipeline.knit("plan", "apply", "reader.yaml")["planId"]
    while not [run for run in pipeline.knit("run", "find", "-p", plan_id) if run["status"] == "done"]:
        pass

    done = pipeline.run("--yes", command="clean")

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("what it made is used by") >= 1
    assert "newsjudge-train" in "".join(line for line in done.stdout.splitlines() if line.startswith("keep"))
    assert [run["status"] for run in pipeline.knit("run", "find", "-p", plan_id)] == ["done"]


def test_a_run_under_way_is_kept_and_how_to_end_it_is_said(pipeline):
    pipeline.play({"image": "train", "hang": "running"})
    pipeline.run("--timeout-minutes", "0.1")

    done = pipeline.run(command="clean")

    [line] = [line for line in done.stdout.splitlines() if "newsjudge-train" in line and line.startswith("keep")]
    assert "it is running; end it first: knit run stop --fail" in line


@given(st.lists(st.sets(st.integers(0, 7)), min_size=8, max_size=8))
def test_nothing_is_removed_before_what_was_made_of_it(edges):
    runs = [
        Leftover(str(number), "x", "done", frozenset(str(user) for user in users if user > number))
        for number, users in enumerate(edges)
    ]

    cleaning = plan_cleaning(runs)

    gone: set[str] = set()
    for run in cleaning.remove:
        assert run.used_by <= gone
        gone.add(run.id)
    assert len(gone) == 8
