"""``python -m training diagnose``: what a user sees."""

from __future__ import annotations

import json
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from tests.training.conftest import environment
from tests.training.diagnosis.conftest import ACCURACY, STEPS, TRAIN, VALIDATION, table, write_events

COLUMNS = {
    "step": STEPS,
    "train_loss": TRAIN,
    "train_mean_token_accuracy": ACCURACY,
    "full_valid_loss": VALIDATION,
    "full_valid_mean_token_accuracy": ACCURACY,
}


@pytest.fixture
def log(tmp_path):
    (tmp_path / "results.csv").write_text(table(COLUMNS))
    return tmp_path / "results.csv"


def lines_of(run):
    return [" ".join(line.split()) for line in run.stdout.splitlines()]


def test_the_text_names_best_checkpoint_verdict_and_next_step(diagnose, log):
    run = diagnose(log)
    lines = lines_of(run)

    assert run.code == 0
    assert "30 0.7000 0.7200 0.9500 0.7200 best" in lines
    assert "Best checkpoint step 30, by the lowest full_valid_loss: 0.95" in lines
    assert any(line.startswith("Verdict overfitting: the validation loss rises over the last half") for line in lines)
    assert any(line.startswith("Next take the checkpoint of step 30") for line in lines)


def test_the_text_shows_the_evidence(diagnose, log):
    lines = lines_of(diagnose(log))

    assert "first fifth 1.2 1.27" in lines
    assert any(line.startswith("change, last half -0.") for line in lines)
    assert any(line.startswith("noise of a point ") for line in lines)


def test_the_table_of_a_long_log_fits_a_screen(diagnose, tmp_path):
    steps = range(1_000_001, 1_001_001)
    (tmp_path / "long.csv").write_text(table({"step": steps, "train_loss": steps, "valid_loss": steps}))

    shown = [line.split()[0] for line in diagnose(tmp_path / "long.csv").stdout.splitlines() if line.strip()]

    assert {"1000001", "1001000"} <= set(shown)
    assert len(shown) < 40


def test_json_is_all_that_is_printed(diagnose, log, tmp_path):
    run = diagnose(log, "--format", "json", "--out", tmp_path / "curves.svg")

    assert json.loads(run.stdout)["verdict"] == "overfitting"
    assert run.json["points"][0] == {
        "step": 10,
        "train_loss": 1.4,
        "train_accuracy": 0.6,
        "full_validation_loss": 1.45,
        "full_validation_accuracy": 0.6,
    }


def test_the_picture_shows_losses_accuracy_and_the_best_step(diagnose, log, tmp_path):
    picture = tmp_path / "curves.svg"
    diagnose(log, "--out", picture)

    texts = {"".join(text.itertext()) for text in ElementTree.parse(picture).iter("{http://www.w3.org/2000/svg}text")}

    assert {"loss", "accuracy", "training", "validation", "best: step 30", "results.csv: overfitting"} <= texts


def test_the_same_curves_give_the_same_picture(diagnose, log, tmp_path):
    pictures = [tmp_path / name for name in ("one.svg", "two.svg")]
    for picture in pictures:
        diagnose(log, "--out", picture)

    assert pictures[0].read_bytes() == pictures[1].read_bytes()


def test_a_picture_as_png(diagnose, log, tmp_path):
    diagnose(log, "--out", tmp_path / "curves.PNG")

    assert (tmp_path / "curves.PNG").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("curves.pdf", "error: --out {out}: name a file that ends in .png or .svg"),
        ("curves", "error: --out {out}: name a file that ends in .png or .svg"),
        ("results.csv/curves.png", "error: cannot write {out}: "),
    ],
)
def test_a_picture_that_cannot_be_written(diagnose, log, name, message):
    out = log.parent / name
    run = diagnose(log, "--out", out)

    assert run.code == 2
    assert run.stderr.startswith(message.format(out=out))
    assert len(run.stderr.splitlines()) == 1


def run_without(modules, *arguments):
    """The command in a Python in which ``modules`` are not installed."""
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] in {modules!r}: raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        f"from training.__main__ import main\nsys.exit(main(['diagnose', *{[str(a) for a in arguments]!r}]))"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment())


def test_the_text_needs_neither_torch_nor_matplotlib_nor_tensorboard(log):
    run = run_without(["torch", "transformers", "matplotlib", "tensorboard"], log)

    assert run.returncode == 0, run.stderr
    assert "overfitting" in run.stdout


def test_what_to_install_for_the_picture_is_said(log, tmp_path):
    run = run_without(["matplotlib"], log, "--out", tmp_path / "curves.png")

    assert run.returncode == 2
    assert run.stderr == f"error: --out {tmp_path}/curves.png: to draw, pip install matplotlib\n"


def test_what_to_install_for_events_is_said(tmp_path):
    write_events(tmp_path, [("train/loss", 1, 1.0)])
    run = run_without(["tensorboard"], tmp_path)

    assert run.returncode == 2
    assert run.stderr == f"error: {tmp_path}: to read TensorBoard's events, pip install tensorboard\n"
