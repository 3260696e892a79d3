"""The workflow that comments: its script, executed by Node.js against a client that answers from memory."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tests.ci.conftest import COMMENT
from tests.ci.github_job import load

MARK = "<!-- newsjudge evaluation -->\n"
SHA = "4f" * 20
HOSTILE = """\
# Evaluation: pass

</details></code></pre> <script>alert(1)</script> @everybody ![x](https://evil.example/x.png)
/merge\r/approve\u2028bors r+
```
~~~
<!-- newsjudge evaluation -->
"""


def node() -> str:
    """Node.js: the one inside Playwright, or the machine's."""
    spec = find_spec("playwright")
    bundled = Path(str(spec.origin)).parent / "driver" / "node" if spec else Path()
    found = str(bundled) if bundled.is_file() else shutil.which("node")
    if found is None:
        pytest.skip("there is no Node.js: neither Playwright (extra `test`) nor the machine has one")
    return found


class Comments:
    """Runs the script after an evaluation of a pull request's branch."""

    def __init__(self, folder: Path) -> None:
        self.artifact = folder / "evaluation"
        self.artifact.mkdir()
        self.environment = {"RUNNER_TEMP": str(folder)}

    def run(self, summary=None, *, owner="us", pulls=((3, SHA),), comments=None):
        if summary is not None:
            (self.artifact / "comment.md").write_text(summary, encoding="utf-8", newline="")
        run = {
            "head_sha": SHA,
            "head_branch": "better",
            "conclusion": "failure",
            "html_url": "https://github.com/us/news/actions/runs/1",
            "head_repository": {"full_name": f"{owner}/news", "owner": {"login": owner}},
            "repository": {"full_name": "us/news"},
        }
        told = {
            "script": load(COMMENT)["jobs"]["comment"]["steps"][-1]["with"]["script"],
            "event": {"workflow_run": run},
            "pulls": [{"number": number, "head": {"sha": sha}} for number, sha in pulls],
            "comments": comments or {},
        }
        harness = Path(__file__).with_name("comment_harness.js")
        process = subprocess.run(
            [node(), harness],
            input=json.dumps(told),
            env=self.environment,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        assert process.returncode == 0, process.stderr
        return json.loads(process.stdout)


@pytest.fixture
def workflow(tmp_path):
    return Comments(tmp_path)


def body_of(done):
    [comment] = done["created"]
    return comment["body"]


def test_the_pull_request_is_the_one_that_ends_at_the_commit_that_ran(workflow):
    done = workflow.run("# Evaluation: pass", owner="they", pulls=[(2, "0" * 40), (3, SHA)])

    assert done["asked"] == {"owner": "us", "repo": "news", "state": "open", "head": "they:better"}
    assert [comment["issue_number"] for comment in done["created"]] == [3]


def test_nothing_is_said_of_a_commit_that_was_replaced(workflow):
    done = workflow.run("# Evaluation: pass", pulls=[(3, "0" * 40)])

    assert (done["created"], done["updated"]) == ([], [])
    assert done["notices"] == [f"No open pull request ends at {SHA}: no comment."]


def test_one_comment_is_kept_up_to_date_and_nobody_elses_is_touched(workflow):
    comments = [
        {"id": 10, "user": {"login": "mallory"}, "body": MARK},
        {"id": 11, "user": {"login": "github-actions[bot]"}, "body": "Coverage: 90 %"},
        {"id": 12, "user": {"login": "github-actions[bot]"}, "body": f"{MARK}old"},
    ]
    done = workflow.run("# Evaluation: pass", comments={"3": comments})

    assert [comment["comment_id"] for comment in done["updated"]] == [12]
    assert done["created"] == []


def test_how_the_run_ended_is_githubs_word(workflow):
    link = "[failure](https://github.com/us/news/actions/runs/1)"
    assert body_of(workflow.run("# Evaluation: pass")).startswith(f"{MARK}**Evaluation** of {SHA}: {link}\n\n")


def test_a_summary_of_our_own_is_shown_as_it_is(workflow):
    assert body_of(workflow.run("# Evaluation: pass\n\n| a |\n| - |\n")).endswith(
        "\n\n# Evaluation: pass\n\n| a |\n| - |\n"
    )


def test_a_forks_summary_is_nothing_but_code(workflow):
    body = body_of(workflow.run(HOSTILE, owner="they"))
    kinds = [token.type for token in MarkdownIt("commonmark").parse(body)]

    assert kinds == ["html_block", "paragraph_open", "inline", "paragraph_close", "code_block"]
    code = body[body.index("    # Evaluation") :]
    assert all(not line.strip() or line.startswith("    ") for line in code.splitlines())


def test_a_link_in_the_artifact_is_not_followed(workflow, tmp_path):
    (tmp_path / "secret").write_text("GITHUB_TOKEN=ghs_secret")
    (workflow.artifact / "comment.md").symlink_to(tmp_path / "secret")

    assert "ghs_secret" not in json.dumps(workflow.run())


@pytest.mark.parametrize("summary", [None, "x" * 65_536], ids=["none", "too long for GitHub"])
def test_without_a_summary_to_show_the_comment_still_says_how_it_ended(workflow, summary):
    body = body_of(workflow.run(summary))

    assert body.endswith(". There is no summary to show here.")
    assert "[failure](" in body
