"""``deepeval-result.json``: what `deepeval.evaluate` would have returned.

Loads with ``EvaluationResult.model_validate_json``. Built once at the end:
DeepEval itself rewrites its whole file at every case.
"""

from __future__ import annotations

from deepeval.evaluate.types import EvaluationResult, TestResult
from deepeval.test_run.api import MetricData

from evals.reports.as_json import json_of
from evals.reports.model import Report
from evals.reports.rows import SampleRow

__all__ = ["deepeval_json", "metric_data"]


def deepeval_json(report: Report) -> str:
    """The report in DeepEval's own form; texts are excerpts."""
    result = EvaluationResult(
        test_results=[_test_result(index, sample, report) for index, sample in enumerate(report.samples)],
        confident_link=None,
        test_run_id=None,
    )
    return json_of(result)


def metric_data(sample: SampleRow, report: Report) -> list[MetricData]:
    """A sample's verdict, or those of all metrics of an answer; one that is missing has an error and no score."""
    judge = report.judge
    if not sample.metrics:
        passed = sample.state == "passed"
        return [_data(judge.metric, judge.threshold, judge.model, passed, sample.score, sample.reason, sample.error)]
    kinds = {metric.name: metric.kind for metric in judge.metrics}
    found = []
    for metric in sample.metrics:
        threshold = judge.threshold_of(metric.name)
        model = "rule" if kinds[metric.name] == "rule" else judge.model
        passed = metric.score is not None and metric.score >= threshold
        found.append(_data(metric.name, threshold, model, passed, metric.score, metric.reason, metric.error))
    return found


def _data(
    name: str, threshold: float, model: str, passed: bool, score: float | None, reason: str, error: str | None
) -> MetricData:
    return MetricData.model_validate(
        {
            "name": name,
            "threshold": threshold,
            "success": passed,
            "score": score,
            "reason": reason or None,
            "strictMode": False,
            "evaluationModel": model,
            "error": error,
        }
    )


def _test_result(index: int, sample: SampleRow, report: Report) -> TestResult:
    return TestResult(
        name=sample.id,
        success=sample.state == "passed",
        metrics_data=metric_data(sample, report),
        conversational=False,
        index=index,
        multimodal=False,
        input=sample.text,
        actual_output=sample.predicted,
        expected_output=sample.expected,
    )
