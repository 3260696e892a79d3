"""Logs that are odd, and logs that are broken."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.contracts.errors import UserError
from tests.training.diagnosis.conftest import ACCURACY, STEPS, TRAIN, VALIDATION, table, write_events
from training.diagnosis import best_checkpoint, curves_of, judge, read_log

COLUMNS = {"step": STEPS, "train_loss": TRAIN, "train_accuracy": ACCURACY, "valid_loss": VALIDATION}
KNOWN = (
    "known are curves.csv of this project, OpenAI's dashboard, OpenAI's step metrics, OpenAI's job events, "
    "Azure's results.csv, Trainer's log, TensorBoard's events"
)


def points_of(run):
    assert run.code == 0, run.stderr
    return run.json["points"], run.json["best"]["step"], run.json["verdict"]


@pytest.fixture
def usual(diagnose, tmp_path):
    (tmp_path / "usual.csv").write_text(table(COLUMNS))
    return points_of(diagnose(tmp_path / "usual.csv", "--format", "json"))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(table(COLUMNS).encode("utf-8-sig"), id="byte order mark"),
        pytest.param(table(COLUMNS, "\t").encode("utf-16"), id="a spreadsheet's Unicode text"),
        pytest.param(table(COLUMNS, ";").encode(), id="semicolons"),
        pytest.param(table(COLUMNS).replace("\n", "\r\n").encode(), id="line ends of Windows"),
        pytest.param(table(COLUMNS).replace("\n", "\n\n").encode(), id="empty lines"),
        pytest.param(table(dict(reversed(COLUMNS.items()))).encode(), id="columns the other way round"),
        pytest.param(table({**COLUMNS, "時刻": ["18時27分"] * 8}).encode("cp932"), id="Shift JIS"),
        pytest.param(table({**COLUMNS, "note": ["x"] * 8}).replace(",x", "").encode(), id="last cells left out"),
        pytest.param(table(COLUMNS).replace("0", "\N{FULLWIDTH DIGIT ZERO}").encode(), id="full-width digits"),
        pytest.param(table({key.upper(): cells for key, cells in COLUMNS.items()}).encode(), id="capitals"),
        pytest.param((table(COLUMNS) + "90,0.1").encode(), id="cut off in the last line"),
    ],
)
def test_the_same_table_written_differently_says_the_same(diagnose, tmp_path, usual, data):
    (tmp_path / "odd.csv").write_bytes(data)

    assert points_of(diagnose(tmp_path / "odd.csv", "--format", "json")) == usual


def test_a_dashboard_in_japanese(diagnose, tmp_path):
    columns = {
        "時間": ["18:27:04"] * 8,
        "検証損失": ACCURACY,
        "完全検証損失": VALIDATION,
        "訓練損失": TRAIN,
        "ステップ": STEPS,
    }
    (tmp_path / "dashboard.csv").write_text(table(columns), encoding="utf-8")

    run = diagnose(tmp_path / "dashboard.csv", "--format", "json")

    assert (run.json["best"]["step"], run.json["verdict"]) == (30, "overfitting")


def test_a_line_that_was_cut_off_is_told(diagnose, tmp_path):
    (tmp_path / "cut.csv").write_text(table(COLUMNS) + "90,0.1")

    assert "note: line 10 is cut off and was left out" in diagnose(tmp_path / "cut.csv").stdout


def test_events_cut_off_in_the_last_line_are_read_up_to_it(diagnose, tmp_path):
    whole = json.dumps({"data": {"step": 10, "train_loss": 1.5, "full_valid_loss": 1.25}})
    (tmp_path / "events.jsonl").write_text(f"{whole}\n{whole[:30]}")

    run = diagnose(tmp_path / "events.jsonl", "--format", "json")

    assert run.json["best"]["value"] == 1.25
    assert run.json["notes"] == ["line 2 is cut off and was left out"]


def test_a_step_logged_twice_is_averaged_and_told(diagnose, tmp_path):
    (tmp_path / "twice.csv").write_text("step,train_loss,valid_loss\n1,2.0,1.0\n1,2.0,3.0\n2,2.0,2.5\n")

    run = diagnose(tmp_path / "twice.csv", "--format", "json")

    assert run.json["points"][0] == {"step": 1, "train_loss": 2.0, "validation_loss": 2.0}
    assert run.json["notes"] == ["valid_loss has several figures at step 1; their mean was taken"]


def test_of_equal_losses_the_earlier_step_is_best(diagnose, tmp_path):
    (tmp_path / "tie.csv").write_text("step,train_loss,valid_loss\n3,2,1.0\n2,2,1.0\n1,2,1.5\n")

    assert diagnose(tmp_path / "tie.csv", "--format", "json").json["best"]["step"] == 2


def test_one_full_validation_decides_over_many_batches(diagnose, tmp_path):
    full = [None] * 6 + [1.3, None]
    (tmp_path / "results.csv").write_text(table({**COLUMNS, "full_valid_loss": full}))

    run = diagnose(tmp_path / "results.csv")

    assert "step 70, by the lowest full_valid_loss: 1.3" in run.stdout
    assert "full_valid_loss has too few points for trends" in run.stdout


def test_rows_without_a_step_are_left_out_and_told(diagnose, tmp_path):
    (tmp_path / "holes.csv").write_text("step,train_loss,valid_loss\n1,2,1.5\n,2,0.1\n2,2,1.4\n")

    run = diagnose(tmp_path / "holes.csv", "--format", "json")

    assert run.json["best"]["value"] == 1.4
    assert run.json["notes"] == ["1 row has no step; left out"]


def test_epochs_are_steps_where_there_are_no_others(diagnose, tmp_path):
    (tmp_path / "epochs.csv").write_text("epoch,train_loss,valid_loss\n0.5,2,1.5\n1.0,2,1.4\n")

    assert diagnose(tmp_path / "epochs.csv", "--format", "json").json["best"]["step"] == 1


def test_a_validation_loss_that_is_nan_is_never_the_best(diagnose, tmp_path):
    (tmp_path / "nan.csv").write_text("step,train_loss,valid_loss\n1,2,nan\n2,2,1.4\n3,2,NaN\n4,2,\n")

    run = diagnose(tmp_path / "nan.csv", "--format", "json")

    assert run.json["best"]["value"] == 1.4
    assert run.json["notes"] == ["valid_loss is NaN or infinite at step 1 and 1 more and was left out there"]


def test_a_training_that_diverged(diagnose, tmp_path):
    history = [{"step": step, "loss": loss, "eval_loss": loss} for step, loss in ((1, 2.0), (2, 1.5))]
    history += [{"step": step, "loss": float("nan"), "eval_loss": float("nan")} for step in (3, 4)]
    (tmp_path / "trainer_state.json").write_text(json.dumps({"log_history": history}))

    run = diagnose(tmp_path, "--format", "json")

    assert run.json["verdict"] == "cannot tell"
    assert run.json["reason"] == "the training loss is no finite number from step 3 on: the training diverged"
    assert run.json["best"]["step"] == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        (" \n\n", "the file is empty"),
        ("step,train_loss,valid_loss\n", "only a header, no rows"),
        ("step,train_loss,valid_loss\n1,,\n2,,\n", "no row has both a step and a loss"),
        ("name,age\nx,1\n", f"none of its columns is a loss (found: age, name); {KNOWN}"),
        ("train_loss,valid_loss\n1,2\n", f"it has no step (found: train_loss, valid_loss); {KNOWN}"),
        ("hello\n", f"none of its columns is a loss (found: hello); {KNOWN}"),
        ("step,train_loss\n1,0.5\n2,many\n", "line 3: train_loss is 'many', which is no number"),
        ("step,train_loss\n1,0.5\n2,0.4,7\n", "line 3: 3 cells for 2 columns"),
        (",,\n", "a header without names"),
        ('{"a": 1}', f"none of its columns is a loss (found: a); {KNOWN}"),
        ("[]", f"none of its columns is a loss (found: none); {KNOWN}"),
        ('[{"step": 1, "loss": true}]', "entry 1: loss is 'True', which is no number"),
        (
            '{"step": 1, "loss": 2}\n{"step": \n{"step": 3}\n',
            "line 2: neither JSON nor a line of JSON Lines: Expecting value: line 1 column 10 (char 9)",
        ),
    ],
)
def test_what_is_no_log_is_told_in_one_line(diagnose, tmp_path, content, message):
    file = tmp_path / "log"
    file.write_text(content)

    run = diagnose(file)

    assert run.stderr == f"error: {file}: {message}\n"
    assert run.code == 2


def test_a_picture_is_no_log(diagnose, tmp_path):
    (tmp_path / "curves.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")

    run = diagnose(tmp_path / "curves.png")

    assert (run.code, run.stderr) == (2, f"error: {tmp_path}/curves.png: this is no text\n")


def test_events_without_scalars(diagnose, tmp_path):
    run = diagnose(write_events(tmp_path, []))

    assert (run.code, run.stderr) == (2, f"error: {tmp_path}: no scalars among TensorBoard's events\n")


def test_damaged_events_are_read_up_to_the_damage(diagnose, tmp_path):
    write_events(tmp_path, [("eval/loss", step, 1 / step) for step in range(1, 9)])
    file = next(tmp_path.iterdir())
    file.write_bytes(file.read_bytes()[:-5])

    run = diagnose(tmp_path, "--format", "json")

    assert run.json["best"]["step"] == 7
    assert run.stderr == ""


def test_a_folder_without_a_log(diagnose, tmp_path):
    run = diagnose(tmp_path)

    assert run.code == 2
    assert run.stderr.startswith(f"error: {tmp_path}: no log of a training here: ")


def test_a_path_that_does_not_exist(diagnose, tmp_path):
    run = diagnose(tmp_path / "nowhere")

    assert (run.code, run.stderr) == (2, f"error: {tmp_path}/nowhere: there is no such file or folder\n")


def test_control_characters_of_a_file_do_not_reach_the_terminal(diagnose, tmp_path):
    (tmp_path / "evil.csv").write_text("step,\x1b[2Jloss,[red]\n1,2,3\n")

    run = diagnose(tmp_path / "evil.csv")

    assert "\x1b" not in run.stderr
    assert "\\x1b[2jloss" in run.stderr.lower()


cell = st.one_of(st.none(), st.just("nan"), st.integers(0, 40).map(lambda tenth: tenth / 10))
rows = st.lists(st.tuples(st.integers(1, 12), cell, cell, cell), min_size=1, max_size=40)


@settings(deadline=None, max_examples=60)
@given(rows, st.randoms(use_true_random=False))
def test_the_order_of_rows_never_changes_the_result(tmp_path_factory, rows, random):
    names = ("step", "train_loss", "valid_loss", "full_valid_loss")
    folder = tmp_path_factory.mktemp("order")

    def result(ordered):
        path = folder / "log.csv"
        path.write_text(table(dict(zip(names, zip(*ordered, strict=True), strict=True))))
        try:
            curves = curves_of(read_log(path))
        except UserError as error:
            return str(error)
        return curves, best_checkpoint(curves), judge(curves)

    assert result(random.sample(rows, len(rows))) == result(rows)
