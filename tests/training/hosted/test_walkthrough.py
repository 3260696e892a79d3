"""docs/hosted.md and docs/leaving-hosted.md, command by command, against the fake service that they start."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.conversations.answers import read_answers
from fixtures.conversations.rows import rows_of
from tests.docs.pages import SHELLS, Page
from tests.training.hosted.conftest import ROOT, Desk


def script(page: str) -> str:
    blocks = [code for language, code in Page(ROOT / "docs" / page).blocks if language in SHELLS]
    lines = "\n".join(block for block in blocks if "Qwen/" not in block).splitlines()
    return "\n".join(line for line in lines if not line.startswith("pip install"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.slow
def test_every_command_of_both_pages_works(tmp_path):
    (tmp_path / "fixtures").symlink_to(ROOT / "fixtures", target_is_directory=True)
    environment = Desk(tmp_path, None).environment()
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    commands = "trap 'kill $(jobs -p)' EXIT\n" + script("hosted.md") + "\n" + script("leaving-hosted.md")
    # The toy of the page takes half a minute; two steps of it will do here.
    settings = json.loads((ROOT / "fixtures/chat/train.json").read_text()) | {"epochs": 1, "min_steps": 2}
    (tmp_path / "train.json").write_text(json.dumps(settings | {"max_length": 64}))
    commands = commands.replace("fixtures/chat/train.json ", "train.json ")
    commands = commands.replace("evals duel", "evals duel --max-new-tokens 8")
    for port in ("8199", "8198"):
        commands = commands.replace(port, str(free_port()))

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )

    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    page = (ROOT / "docs/hosted.md").read_text()
    for line in ("to learn: about ", "best checkpoint: step ", "tokens: estimated"):
        (shown,) = [said for said in page.splitlines() if said.startswith(line)]
        assert shown in done.stdout.splitlines()
    assert done.stderr.count("notice: OpenAI's self-serve fine-tuning") == commands.count("-m training hosted")
    rows = rows_of(ROOT / "fixtures/chat/eval.jsonl")
    answers = read_answers(tmp_path / "out/recorded/eval", rows.rows, rows.rows)
    assert answers == {row.id: row.reference for row in rows.rows}
    manifest = json.loads((tmp_path / "out/local/model/manifest.json").read_text())
    assert manifest["task"] == "chat"
    duel = (tmp_path / "out/duel/duel.md").read_text()
    assert "out/recorded/eval" in duel
    assert "net preference" in duel
