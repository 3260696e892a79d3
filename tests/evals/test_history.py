"""The history: every report once, in order, and compared only with its like."""

import argparse
import os
import re
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from evals.baselines import save_baseline
from evals.commands import history as command
from evals.gate import not_evaluated
from evals.history import read_history
from evals.reports.html.history import history_page
from evals.reports.subject import ModelInfo
from evals.settings import GatePolicy
from fixtures.contracts.errors import UserError
from tests.evals.reports import sample_reports
from tests.evals.reports.report_parts import judge, report, run, samples

START = datetime(2026, 6, 1, 8, tzinfo=UTC)
ROWS = samples(60)


def made(day, *, passing=50, **given):
    """A report of that day of which the first ``passing`` samples pass."""
    states = [
        {"state": "passed", "score": 1.0} if n < passing else {"state": "failed", "score": 0.0} for n in range(60)
    ]
    rows = [row.model_copy(update=state) for row, state in zip(ROWS, states, strict=True)]
    model = ModelInfo(source="model", digest=f"{day:02x}" * 32, base_model="base")
    return report(rows, **{"model": model, "run": run(finished=(START + timedelta(days=day)).isoformat())} | given)


@pytest.fixture
def put(tmp_path):
    def write(place, what):
        file = tmp_path / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(what if isinstance(what, str) else what.to_json(), encoding="utf-8")
        return file

    return write


@pytest.fixture
def evals(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers(required=True))

    def call(*arguments, folder=tmp_path):
        options = parser.parse_args(["history", str(folder), *map(str, arguments)])
        assert options.run(options, Console(markup=False, highlight=False, soft_wrap=True)) == 0
        return capsys.readouterr().out

    return call


def test_reports_stand_in_order_of_time_and_are_paired_with_the_one_before(put, tmp_path, evals):
    put("b/report.json", made(1, passing=40))
    put("a/deep/er/report.json", made(3, passing=55))
    put("report-main.json", made(2, passing=50))
    history = read_history(tmp_path)
    assert [entry.when.day for entry in history.entries] == [2, 3, 4]
    assert [entry.difference and round(60 * entry.difference.difference) for entry in history.entries] == [None, 10, 5]
    assert [entry.against for entry in history.entries[1:]] == [entry.path for entry in history.entries[:2]]
    assert all(entry.report.samples == [] for entry in history.entries)
    said = evals()
    assert re.findall(r"2026-06-0\d", said) == ["2026-06-02", "2026-06-03", "2026-06-04"]
    assert "+16.7 points" in said
    assert "the first of its kind" in said


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"judge": judge("rubric")}, "judges differ"),
        ({"judge": judge().model_copy(update={"threshold": 0.5})}, "thresholds differ"),
        ({"judge": judge().model_copy(update={"score_mode": "weighted"})}, "score modes differ"),
        ({"judge": judge().model_copy(update={"metric": "Other"})}, "metrics differ"),
    ],
)
def test_what_was_measured_otherwise_is_passed_over(put, tmp_path, evals, other, reason):
    first = put("1/report.json", made(1, passing=40))
    put("2/report.json", made(2, **other))
    put("3/report.json", made(3, passing=43))
    history = read_history(tmp_path)
    between, last = history.entries[1:]
    assert history.measures == 2
    assert between.difference is None
    assert between.unlike.startswith("the first of its kind: ")
    assert reason in between.unlike
    assert last.against == first
    assert last.difference.gained == 3
    assert "2 kinds of judge, metric, threshold or data" in evals()


def test_an_incomplete_report_is_nothing_to_compare_with(put, tmp_path):
    first = put("1/report.json", made(1))
    put("2/report.json", made(2, gate=not_evaluated("only 3 samples", GatePolicy())))
    put("3/report.json", made(3))
    _, broken, last = read_history(tmp_path).entries
    assert broken.unlike.startswith("not complete")
    assert last.against == first


def test_no_sample_in_common(put, tmp_path):
    put("1/report.json", made(1))
    put("2/report.json", report(samples(60, seed=9, texts=["other"]), run=run(finished="2026-08-01T00:00:00Z")))
    assert read_history(tmp_path).entries[1].unlike.startswith("no sample is in both")


def test_a_saved_report_counts_once_and_tells_its_name(put, tmp_path):
    put("run/report.json", made(1))
    save_baseline(made(1), tmp_path / "baselines", name="main")
    save_baseline(made(2), tmp_path / "baselines")
    assert [entry.when.day for entry in read_history(tmp_path).entries] == [2, 3]


@pytest.mark.parametrize(
    ("place", "commit"),
    [
        ("0003_e07b41bc096a-dirty_20261120-165726_main.json", "e07b41bc096a-dirty"),
        ("0003_nocommit_20261120-165726.json", None),
        ("e07b41b/report.json", "e07b41b"),
        ("run-1234567890/report-e07b41bc096a.json", "e07b41bc096a"),
        (f"{'1' * 40}/report.json", "1" * 40),
        ("20260703/1234567890/defaced/report.json", None),
    ],
)
def test_the_commit_is_read_from_names(put, tmp_path, place, commit):
    put(place, made(1))
    assert [entry.commit for entry in read_history(tmp_path).entries] == [commit]


def test_without_a_time_the_file_name_tells_it_or_nobody(put, tmp_path, evals):
    put("0003_nocommit_20261120-165726.json", made(1, run=run(finished="yesterday")))
    put("x/report.json", made(2, run=run(finished="0001-01-01T00:00:00+23:00")))
    assert [entry.when and entry.when.month for entry in read_history(tmp_path).entries] == [11, None]
    assert "unknown" in evals()


def test_damaged_and_other_files_are_named_and_passed_over(put, tmp_path, evals):
    whole = made(1).to_json()
    put("good/report.json", whole)
    bad = {"": "empty", whole[:500]: "half", "[]": "list", '{"a": 1}': "other", "[" * 100_000: "deep", "\x00": "null"}
    for content, name in bad.items():
        put(f"{name}/report.json", content)
    (tmp_path / "folder" / "report.json").mkdir(parents=True)
    os.mkfifo(tmp_path / "report-fifo.json")
    (tmp_path / "report-gone.json").symlink_to(tmp_path / "nowhere")
    put("good/verdict.json", "{}")
    history = read_history(tmp_path)
    assert len(history.entries) == 1
    assert len(history.unread) == len(bad) + 2
    page = tmp_path / "page.html"
    assert evals("--html", page).count("not read: ") == len(bad) + 2
    assert page.read_text(encoding="utf-8").count("<li>") == len(bad) + 2


def test_an_empty_folder_and_none(tmp_path, evals):
    assert evals() == f"no report in {tmp_path}\n"
    assert "No report with a pass rate." in history_page(read_history(tmp_path))
    with pytest.raises(UserError, match="is no folder"):
        evals(folder=tmp_path / "missing")


def test_the_page_does_not_take_a_report_s_place(put, evals):
    file = put("1/report.json", made(1))
    with pytest.raises(UserError, match="one of the reports"):
        evals("--html", file)
    assert file.read_text(encoding="utf-8") == made(1).to_json()


def test_hostile_texts_stay_texts(put, tmp_path, evals):
    put("1/report.json", made(1))
    put("<script>alert(1)\x1b[2J/report.json", sample_reports.hostile())
    put("<img src=x>/report.json", "{")
    page = tmp_path / "page.html"
    assert "\x1b" not in evals("--html", page)
    text = page.read_text(encoding="utf-8")
    assert "\x1b" not in text
    assert not re.search(r"<(script|img|iframe|svg onload)", text)
    assert "&lt;script&gt;alert(1)" in text
    assert "default-src &#39;none&#39;" in text
    assert not re.search(r'(src|href)="(?!#|data:)', text)


def test_a_chart_bears_many_reports_and_those_without_a_rate(put, tmp_path):
    for day in range(45):
        put(f"{day}/report.json", made(day, passing=day))
    put("none/report.json", sample_reports.all_unscored())
    page = history_page(read_history(tmp_path))
    assert "45 reports with a pass rate, the oldest 5 not drawn" in page
    assert page.count('<svg class="chart') == 2
    assert len(re.findall(r"(?m)^    <tr role=", page)) == 46
