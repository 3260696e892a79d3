"""Parts of a report that are known before anything was predicted or judged."""

from __future__ import annotations

from collections.abc import Sequence

from evals.judges.base import Judge
from evals.metrics.category_precision import category_precision
from evals.reports.model import DatasetInfo, JudgeInfo, JudgeMember
from evals.settings import Settings
from fixtures.datasets import Document, NewsDataset

__all__ = ["dataset_info", "judge_info"]


def dataset_info(dataset: NewsDataset, drawn: Sequence[Document]) -> DatasetInfo:
    """Which documents are evaluated."""
    return DatasetInfo(
        name=dataset.name,
        digest=dataset.digest("test"),
        remove=list(dataset.remove),
        total=len(dataset.splits["test"]),
        drawn=len(drawn),
        dropped=dataset.dropped["test"],
    )


def judge_info(settings: Settings, judges: Sequence[Judge]) -> JudgeInfo:
    """Who judges, and how; no pairs are counted yet."""
    metric = category_precision(settings.threshold)
    return JudgeInfo(
        spec=settings.judge,
        members=[
            JudgeMember(spec=judge.spec, model=judge.model, is_llm=judge.is_llm, identity=dict(judge.identity))
            for judge in judges
        ],
        metric=metric.name,
        metric_fingerprint=metric.fingerprint,
        score_mode=settings.score_mode,
        threshold=settings.threshold,
        repeats=settings.repeats,
        confirm_failures=settings.confirm_failures,
        distinct_pairs=0,
    )
