"""``python -m evals gate --save-to``: what is left for those who read it later."""

import json

import pytest

from evals.__main__ import main
from tests.evals.conftest import pairs


@pytest.mark.parametrize(
    ("counts", "options", "code", "outcome"),
    [((97, 3), (), 0, "pass"), ((40, 60), (), 3, "fail"), ((5, 1), ("-k", "rec-autos"), 5, "not evaluated")],
)
def test_the_folder_holds_verdict_and_summary_whatever_the_verdict(evals, tmp_path, counts, options, code, outcome):
    run = evals.run("--fail-on", "never", *options, pairs=pairs(*counts))

    assert main(["gate", str(run.folder / "report.json"), "--save-to", str(tmp_path / "verdict")]) == code

    gate = json.loads((tmp_path / "verdict" / "verdict.json").read_text())["gate"]
    assert gate["outcome"] == outcome
    assert gate["sentence"] in (tmp_path / "verdict" / "summary.md").read_text(encoding="utf-8")


def test_the_summary_tells_of_this_gate_not_of_the_evaluations(evals, tmp_path):
    run = evals.run("--fail-on", "never", pairs=pairs(97, 3))
    assert run.verdict["outcome"] == "pass"

    main(["gate", str(run.folder), "--min-pass-rate", "0.99", "--save-to", str(tmp_path)])

    said = json.loads((tmp_path / "verdict.json").read_text())["gate"]["sentence"]
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert said in summary
    assert run.verdict["sentence"] not in summary


def test_without_options_the_gate_is_the_reports_own(evals, capsys):
    run = evals.run("--min-pass-rate", "0.5", "--fail-on", "never", pairs=pairs(48, 12))

    assert main(["gate", str(run.folder)]) == 0
    capsys.readouterr()
    assert main(["gate", str(run.folder), "--min-pass-rate", "0.95"]) == 3
    assert "95% is required" in capsys.readouterr().out


def test_the_environment_changes_the_gate_as_it_changes_an_evaluation(evals, tmp_path, monkeypatch, capsys):
    run = evals.run("--min-pass-rate", "0.5", "--fail-on", "never", pairs=pairs(48, 12))
    (tmp_path / "policy.json").write_text('{"min_pass_rate": 0.96}')

    monkeypatch.setenv("EVALS_MIN_PASS_RATE", "0.95")
    assert main(["gate", str(run.folder)]) == 3
    assert main(["gate", str(run.folder), "--min-pass-rate", "0.4"]) == 0
    monkeypatch.delenv("EVALS_MIN_PASS_RATE")
    monkeypatch.setenv("EVALS_POLICY", str(tmp_path / "policy.json"))
    capsys.readouterr()
    assert main(["gate", str(run.folder)]) == 3
    assert "96% is required" in capsys.readouterr().out
