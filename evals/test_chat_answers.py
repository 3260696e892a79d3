"""What one answer of a chat model must satisfy.

Each drawn row of ``--chat`` is one test. The model has already answered all of
them, judges have scored each distinct judgement, and rules the rest, before the
first test runs (see ``plugin``); here the verdicts are asserted. A row without
an answer, and a judge that failed, make an error, never a failed sample.
"""

from __future__ import annotations

from deepeval.test_case import LLMTestCase

from evals.assertions import JudgedMetrics


def test_chat_answer(case: LLMTestCase, answer_metrics: JudgedMetrics) -> None:
    """Every metric of ``--metrics`` reaches its threshold."""
    answer_metrics.assert_reach_thresholds(case)
