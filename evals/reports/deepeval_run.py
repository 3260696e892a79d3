"""DeepEval's latest run: what ``deepeval view`` and ``deepeval inspect`` open after ``deepeval test run``.

DeepEval reads and writes the whole run again at every case. Here the run that
its command has begun is filled once, at the end, and DeepEval writes it, where
and in the form that its settings say (``DEEPEVAL_CACHE_FOLDER``,
``DEEPEVAL_RESULTS_FOLDER``, ``DEEPEVAL_LOCAL_STORE``). Nothing is uploaded.

Two things that DeepEval keeps of a case are not in a report: its text beyond
the excerpt, and the metric's prompt, which would be the same in every case.
"""

from __future__ import annotations

from deepeval.test_run import LATEST_TEST_RUN_DATA_KEY, LATEST_TEST_RUN_FILE_PATH, TestRun, global_test_run_manager
from deepeval.test_run.api import LLMApiTestCase
from deepeval.utils import get_test_run_official, is_read_only_env

from evals.reports.deepeval import metric_data
from evals.reports.model import Report
from evals.reports.rows import SampleRow
from fixtures.contracts.errors import UserError

__all__ = ["fill_test_run", "save_latest_run"]


def save_latest_run(report: Report) -> str:
    """Make ``report`` DeepEval's latest run; a sentence that says where. Raises UserError."""
    if is_read_only_env():
        return "DeepEval's latest run is not written: its file system is set to be read only."
    manager = global_test_run_manager
    # Begun by DeepEval's command, which knows its file and identifier.
    run = manager.test_run or TestRun.model_validate({})
    fill_test_run(run, report)
    manager.set_test_run(run)
    try:
        manager.save_test_run_locally()
        manager.save_test_run(LATEST_TEST_RUN_FILE_PATH, save_under_key=LATEST_TEST_RUN_DATA_KEY)
    except OSError as error:
        raise UserError(f"cannot write DeepEval's {LATEST_TEST_RUN_FILE_PATH}: {error.strerror}") from error
    return f"DeepEval's latest run, {LATEST_TEST_RUN_FILE_PATH}, holds these {len(report.samples):,} test cases."


def fill_test_run(run: TestRun, report: Report) -> None:
    """Add the samples of ``report`` to ``run``, and what DeepEval counts over them."""
    for sample in report.samples:
        run.add_test_case(_test_case(sample, report))
    run.sort_test_cases()
    run.construct_metrics_scores()
    run.calculate_test_passes_and_fails()
    run.run_duration = report.run.seconds
    run.official = get_test_run_official()
    if report.run.usage.cost is not None:
        run.evaluation_cost = (run.evaluation_cost or 0.0) + report.run.usage.cost
    if run.hyperparameters is None:
        run.hyperparameters = _hyperparameters(report)


def _test_case(sample: SampleRow, report: Report) -> LLMApiTestCase:
    return LLMApiTestCase.model_validate(
        {
            "name": sample.id,
            "input": sample.text,
            "actualOutput": sample.predicted,
            "expectedOutput": sample.expected,
            "success": sample.state == "passed",
            "metricsData": metric_data(sample, report),
            # One verdict serves all samples of a pair: none has a time of its own.
            "runDuration": 0.0,
        }
    )


def _hyperparameters(report: Report) -> dict[str, str]:
    """What tells two runs apart, as texts: DeepEval knows no others."""
    judge = report.judge
    return {
        "model": report.model.base_model or report.model.source,
        "model digest": report.model.digest,
        "data set": report.dataset.name,
        "data set digest": report.dataset.digest,
        "judge": judge.spec,
        "judge's model": judge.model,
        "score mode": judge.score_mode,
        "repeats": str(judge.repeats),
    }
