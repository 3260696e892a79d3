"""Parts of a report that are known before anything was predicted or judged."""

from __future__ import annotations

from collections.abc import Sequence

from evals.judges.base import Judge
from evals.metrics.category_precision import category_precision
from evals.reports.subject import DatasetInfo, JudgeInfo, JudgeMember, MetricInfo
from evals.settings import Settings
from fixtures.contracts.files import sha256_text
from fixtures.datasets import Document, NewsDataset

__all__ = ["EXCERPT", "dataset_info", "judge_info"]

EXCERPT = 1000
"""Characters of a text in a report."""


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


def judge_info(settings: Settings, judges: Sequence[Judge], metrics: Sequence[MetricInfo] = ()) -> JudgeInfo:
    """Who judges, and how; no pairs are counted yet. Without ``metrics`` it is CategoryPrecision that is judged."""
    if metrics:
        name = ", ".join(metric.name for metric in metrics)
        fingerprint = sha256_text("\n".join(f"{metric.name} {metric.fingerprint}" for metric in metrics))
        threshold = min(metric.threshold for metric in metrics)
    else:
        metric = category_precision(settings.threshold)
        name, fingerprint, threshold = metric.name, metric.fingerprint, metric.threshold
    return JudgeInfo(
        spec=settings.judge,
        members=[
            JudgeMember(spec=judge.spec, model=judge.model, is_llm=judge.is_llm, identity=dict(judge.identity))
            for judge in judges
        ],
        metric=name,
        metric_fingerprint=fingerprint,
        score_mode=settings.score_mode,
        threshold=threshold,
        repeats=settings.repeats,
        confirm_failures=settings.confirm_failures,
        distinct_pairs=0,
        metrics=list(metrics),
    )
