"""``deepeval-result.json``: what `deepeval.evaluate` would have returned.

Loads with ``EvaluationResult.model_validate_json``. Built once at the end:
DeepEval itself rewrites its whole file at every case.
"""

from __future__ import annotations

from deepeval.evaluate.types import EvaluationResult, TestResult
from deepeval.test_run.api import MetricData

from evals.reports.as_json import json_of
from evals.reports.model import Report, SampleRow

__all__ = ["deepeval_json", "metric_data"]


def deepeval_json(report: Report) -> str:
    """The report in DeepEval's own form; texts are excerpts."""
    result = EvaluationResult(
        test_results=[_test_result(index, sample, report) for index, sample in enumerate(report.samples)],
        confident_link=None,
        test_run_id=None,
    )
    return json_of(result)


def metric_data(sample: SampleRow, report: Report) -> MetricData:
    """A sample's verdict; an unscored one has an error and no score."""
    judge = report.judge
    return MetricData.model_validate(
        {
            "name": judge.metric,
            "threshold": judge.threshold,
            "success": sample.state == "passed",
            "score": sample.score,
            "reason": sample.reason or None,
            "strictMode": False,
            "evaluationModel": judge.model,
            "error": sample.error,
        }
    )


def _test_result(index: int, sample: SampleRow, report: Report) -> TestResult:
    return TestResult(
        name=sample.id,
        success=sample.state == "passed",
        metrics_data=[metric_data(sample, report)],
        conversational=False,
        index=index,
        multimodal=False,
        input=sample.text,
        actual_output=sample.predicted,
        expected_output=sample.expected,
    )
