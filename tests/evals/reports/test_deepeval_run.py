"""DeepEval's latest run, filled from the report: what DeepEval itself would have written, case by case."""

import json

import pytest
from deepeval.test_run import TestRun as DeepEvalRun  # pytest takes classes called Test... for tests
from deepeval.test_run import global_test_run_manager
from deepeval.test_run.api import LLMApiTestCase

from evals.reports import deepeval_run
from evals.reports.deepeval_run import fill_test_run, save_latest_run
from fixtures.contracts.errors import UserError
from tests.evals.reports import sample_reports

COMMAND = ("-c", "from deepeval.cli.main import app; app()", "test", "run")
PAIRS = [("sci.space", "sci.space"), ("rec.autos", "sci.space"), ("sci.space", "rec.autos")]
GENUINE = """
import pytest
from deepeval import assert_test
from deepeval.metrics import GEval
from deepeval.test_case import LLMTestCase, SingleTurnParams as P
from fixtures import judges

class FailingJudge(judges.FailingJudge):
    async def a_generate(self, prompt, schema):
        return schema.model_validate_json(self.generate(prompt))

@pytest.mark.parametrize(("name", "text", "expected", "actual"), {cases!r})
def test_case(name, text, expected, actual):
    metric = GEval(name="CategoryPrecision", evaluation_steps=["compare"], model=FailingJudge(), threshold=0.8,
                   evaluation_params=[P.ACTUAL_OUTPUT, P.EXPECTED_OUTPUT], _include_g_eval_suffix=False)
    assert_test(LLMTestCase(name=name, input=text, actual_output=actual, expected_output=expected), [metric])
"""


@pytest.mark.slow
def test_deepeval_test_run_leaves_what_deepeval_would_have_written(evals, tmp_path):
    """The same three cases, one of which the judge gives no verdict on: ours, ours with workers, DeepEval's own."""
    results = tmp_path / "results"
    fails = {"FAKE_JUDGE_FAILS_ON": "rec.autos"}
    options = ["--judge", "fixtures.judges:FailingJudge", *evals.data(PAIRS)]

    def ours(name, *more, **environment):
        environment |= fails | {"DEEPEVAL_CACHE_FOLDER": str(tmp_path / name)}
        run = evals.run_process(*options, *more, command=(*COMMAND, "evals"), **environment)
        assert run.exit_code == 1, run.output
        assert run.output.rstrip().endswith(f"holds these 3 test cases.\n{run.verdict['sentence']}")
        return run

    run = ours("alone", DEEPEVAL_RESULTS_FOLDER=str(results))
    ours("workers", "-n", "2")
    rows = [(row["id"], row["text"], row["expected"], row["predicted"]) for row in run.report["samples"]]
    genuine = tmp_path / "test_genuine.py"
    genuine.write_text(GENUINE.format(cases=rows), encoding="utf-8")
    evals.run_process(
        "--ignore-errors", command=(*COMMAND, str(genuine)), plain=True, PYTHONPATH=".",
        DEEPEVAL_CACHE_FOLDER=str(tmp_path / "genuine"), **fails,
    )  # fmt: skip

    [export] = results.glob("*.json")
    assert json.loads(export.read_text(encoding="utf-8")) == latest(tmp_path / "alone")
    assert comparable(latest(tmp_path / "alone")) == comparable(latest(tmp_path / "genuine"))
    assert comparable(latest(tmp_path / "workers")) == comparable(latest(tmp_path / "genuine"))


def latest(folder):
    """The run that both files of DeepEval hold."""
    whole = json.loads((folder / ".latest_run_full.json").read_text(encoding="utf-8"))
    assert json.loads((folder / ".latest_test_run.json").read_text(encoding="utf-8")) == {"testRunData": whole}
    return whole


def comparable(run):
    """Without what belongs to one run, and to the words of one harness."""
    run = {key: value for key, value in run.items() if key not in ("testFile", "runDuration", "hyperparameters")}
    for case in run["testCases"]:
        [metric] = case["metricsData"]
        metric.pop("verboseLogs", None)
        assert metric.pop("error", "503").endswith("503")
    return run


@pytest.fixture
def manager(tmp_path, monkeypatch):
    """DeepEval's manager as its command has it, writing here."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(global_test_run_manager, "save_to_disk", True)
    global_test_run_manager.create_test_run(identifier="nightly", file_name="evals")
    yield global_test_run_manager
    global_test_run_manager.reset()


@pytest.mark.parametrize("kind", ["incomplete", "all_unscored", "hostile", "panel"])
def test_deepeval_loads_the_latest_run(manager, kind):
    report = getattr(sample_reports, kind)()
    save_latest_run(report)
    run = manager.get_latest_test_run_data()
    assert isinstance(run, DeepEvalRun)
    assert (run.test_passed, run.test_failed) == (report.tally.passed, report.tally.failed + report.tally.unscored)
    [scores] = run.metrics_scores
    assert (scores.passes, scores.fails, scores.errors) == tuple(report.tally.model_dump().values())
    assert [case.name for case in run.test_cases] == [sample.id for sample in report.samples]
    assert [case.input for case in run.test_cases] == [sample.text for sample in report.samples]
    assert (run.identifier, run.test_file, run.run_duration) == ("nightly", "evals", report.run.seconds)
    assert run.evaluation_cost == report.run.usage.cost
    assert run.hyperparameters["judge"] == report.judge.spec


def test_cases_that_deepeval_recorded_itself_stay():
    run = DeepEvalRun(hyperparameters={"model": "theirs"})
    run.add_test_case(LLMApiTestCase(name="theirs", input="x", success=True, metricsData=[], order=0))
    report = sample_reports.small()
    fill_test_run(run, report)
    assert [case.order for case in run.test_cases] == list(range(101))
    assert run.test_cases[0].name == "theirs"
    assert run.test_passed == report.tally.passed + 1
    assert run.hyperparameters == {"model": "theirs"}


def test_a_place_where_nothing_can_be_written_is_named(manager, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setattr(deepeval_run, "LATEST_TEST_RUN_FILE_PATH", "file/latest.json")
    with pytest.raises(UserError, match=r"cannot write DeepEval's file/latest.json: "):
        save_latest_run(sample_reports.small())


def test_nothing_is_written_where_deepeval_may_not_write(manager, monkeypatch, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setenv("DEEPEVAL_FILE_SYSTEM", "READ_ONLY")
    assert "not written" in save_latest_run(sample_reports.small())
    assert sorted(tmp_path.rglob("*")) == before
