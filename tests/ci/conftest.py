"""A checkout as a CI system has it, with predictions in place of a model."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

from fixtures.datasets import load_dataset

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "docs" / "ci"
GITHUB = RECIPES / "github" / "evals.yml"
COMMENT = RECIPES / "github" / "comment.yml"
GITLAB = RECIPES / "gitlab" / ".gitlab-ci.yml"
PAGE = ROOT / "docs" / "ci.md"


@dataclass(frozen=True)
class Case:
    """So many right and wrong answers, and variables of the recipe that somebody changed."""

    passing: int
    failing: int
    variables: dict[str, str] = field(default_factory=dict)


UNREACHABLE = {"EVALS_JUDGE": "fixtures.judges:FailingJudge", "FAKE_JUDGE_FAILS_ON": "rec.autos"}
CASES = {
    "passing": Case(95, 5),
    "failing": Case(40, 60),
    "inconclusive": Case(83, 17),
    "incomplete": Case(95, 5, UNREACHABLE),
    "mistaken": Case(95, 5, {"EVALS_NUM_SAMPLES": "plenty"}),
}


def variables(recipe: dict[str, str], case: Case) -> dict[str, str]:
    """The recipe's variables as a user changes them who has predictions and no model."""
    kept = {key: value for key, value in recipe.items() if key != "EVALS_MODEL_PATH"}
    return kept | {"EVALS_DATASET": "data.jsonl", "EVALS_PREDICTIONS": "predictions.jsonl"} | case.variables


def check_out(folder: Path, case: Case) -> Path:
    """A copy of the product in ``folder``, with the data of a case."""
    for name in ("evals", "fixtures"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("conftest.py", "constraints.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    wrong, right = [("sci.space", "rec.autos")] * case.failing, case.passing // 2
    pairs = [("sci.space", "sci.space")] * right + [("rec.autos", "rec.autos")] * (case.passing - right) + wrong
    rows = [{"text": f"document number {number}", "label": label} for number, (label, _) in enumerate(pairs)]
    data = folder / "data.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    documents = load_dataset(str(data), splits=["test"]).splits["test"]
    answers = [{"id": one.id, "predicted": answer} for one, (_, answer) in zip(documents, pairs, strict=True)]
    (folder / "predictions.jsonl").write_text("".join(json.dumps(answer) + "\n" for answer in answers))
    return folder


def environment(checkout: Path) -> dict[str, str]:
    """That of a fresh machine on which the steps named "Install" have been done."""
    kept = {key: os.environ[key] for key in ("HOME", "LANG", "OMP_NUM_THREADS", "TMPDIR") if key in os.environ}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return kept | {"PATH": path, "PYTHONPATH": str(checkout), "CI": "true"}
