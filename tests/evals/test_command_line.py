"""``python -m evals`` and how fast everything starts."""

import json
import os
import subprocess
import sys

import pytest

from tests.evals.conftest import ROOT, pairs


def command(*arguments, module="evals"):
    return subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


class TestGate:
    @pytest.mark.parametrize(
        ("counts", "options", "code"),
        [
            ((97, 3), [], 0),
            ((40, 60), [], 3),
            ((83, 17), [], 4),
            ((83, 17), ["--min-pass-rate", "0.7"], 0),
        ],
    )
    def test_exit_codes(self, evals, counts, options, code):
        report = evals.run("--fail-on", "never", pairs=pairs(*counts)).folder / "report.json"
        run = command("gate", str(report), *options)
        assert run.returncode == code, run.stdout + run.stderr

    def test_policy_file_and_verdict(self, evals):
        run = evals.run("--fail-on", "never", pairs=pairs(83, 17))
        policy = evals.folder / "policy.json"
        policy.write_text('{"min-pass-rate": 0.7, "confidence": 0.9}')
        gate = command("gate", str(run.folder), "--policy", str(policy), "--save-to", str(evals.folder / "gate"))
        assert gate.returncode == 0
        verdict = json.loads((evals.folder / "gate" / "verdict.json").read_text())
        assert verdict["gate"]["outcome"] == "pass"
        assert verdict["gate"]["policy"]["min_pass_rate"] == 0.7

    def test_an_incomplete_report(self, evals):
        run = evals.run("-k", "rec-autos", pairs=pairs(10, 2))
        gate = command("gate", str(run.folder))
        assert (gate.returncode, gate.stdout) == (5, "Gate not evaluated: 5 of 12 drawn samples were selected.\n")

    @pytest.mark.parametrize(
        ("policy", "message"),
        [
            ('{"min_pass_rates": 0.5}', 'unknown key "min_pass_rates"; did you mean "min_pass_rate"?'),
            ('{"confidence": 0.5}', '"confidence" is 0.5: must be greater than 0.5'),
        ],
    )
    def test_a_wrong_policy(self, tmp_path, policy, message):
        (tmp_path / "policy.json").write_text(policy)
        run = command("gate", "report.json", "--policy", str(tmp_path / "policy.json"))
        assert run.returncode == 2
        assert message in run.stderr
        assert "Traceback" not in run.stderr

    def test_no_report(self, tmp_path):
        (tmp_path / "report.json").write_text('{"schema_version": 7}')
        run = command("gate", str(tmp_path))
        assert run.returncode == 2
        assert "is no report of this version" in run.stderr
        assert command("gate", str(tmp_path / "none")).returncode == 2


def test_samples_with_texts(tmp_path):
    output = tmp_path / "samples.jsonl"
    run = command("samples", "--dataset", "embedded", "--num-samples", "8", "--texts", "--output", str(output))
    assert run.returncode == 0, run.stderr
    rows = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 8
    assert all(set(row) == {"id", "expected", "digest", "text"} for row in rows)


@pytest.mark.parametrize("arguments", [["pytest", "--help"], ["training", "--help"], ["evals", "--help"]])
def test_help_starts_fast_and_imports_nothing_heavy(arguments):
    code = (
        "import atexit, sys, runpy\n"
        "atexit.register(lambda: print('HEAVY', sorted({'torch', 'transformers', 'deepeval'} & set(sys.modules))))\n"
        f"sys.argv = {arguments!r}\n"
        f"runpy.run_module({arguments[0]!r}, run_name='__main__', alter_sys=True)\n"
    )
    seconds = []
    for _ in range(3):
        before = os.times()
        run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
        after = os.times()
        # CPU seconds of the process: other tests use the machine as well.
        seconds.append(after.children_user + after.children_system - before.children_user - before.children_system)
        assert "HEAVY []" in run.stdout, run.stdout[-500:] + run.stderr[-2000:]
    assert min(seconds) < 1.5


def test_the_environment_of_the_whole_evaluation_reaches_the_gate(evals, monkeypatch):
    report = evals.run("--fail-on", "never", pairs=pairs(83, 17)).folder
    monkeypatch.setenv("EVALS_NUM_SAMPLES", "100")
    monkeypatch.setenv("EVALS_MIN_PASS_RATE", "0.7")
    # Without the prefix a variable is somebody else's.
    monkeypatch.setenv("CONFIDENCE", "none")
    assert command("gate", str(report)).returncode == 0
    monkeypatch.setenv("EVALS_MIN_PAS_RATE", "0.7")
    assert 'did you mean "min_pass_rate"?' in command("gate", str(report)).stderr
