"""``deepeval-result.json``: what `deepeval.evaluate` would have returned.

Loads with ``EvaluationResult.model_validate_json``. Built once at the end:
DeepEval itself rewrites its whole file at every case.
"""

from __future__ import annotations

from deepeval.evaluate.types import EvaluationResult, TestResult
from deepeval.test_run.api import MetricData

from evals.reports.model import Report, SampleRow

__all__ = ["deepeval_json"]


def deepeval_json(report: Report) -> str:
    """The report in DeepEval's own form; texts are excerpts."""
    result = EvaluationResult(
        test_results=[_test_result(index, sample, report) for index, sample in enumerate(report.samples)],
        confident_link=None,
        test_run_id=None,
    )
    return result.model_dump_json(indent=1) + "\n"


def _test_result(index: int, sample: SampleRow, report: Report) -> TestResult:
    judge = report.judge
    passed = sample.state == "passed"
    metric = MetricData.model_validate(
        {
            "name": judge.metric,
            "threshold": judge.threshold,
            "success": passed,
            "score": sample.score,
            "reason": sample.reason or None,
            "strictMode": False,
            "evaluationModel": judge.model,
            "error": sample.error,
        }
    )
    return TestResult(
        name=sample.id,
        success=passed,
        metrics_data=[metric],
        conversational=False,
        index=index,
        multimodal=False,
        input=sample.text,
        actual_output=sample.predicted,
        expected_output=sample.expected,
    )
