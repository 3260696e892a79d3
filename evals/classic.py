"""Accuracy, precision, recall, F1 and the confusion matrix, by scikit-learn.

They need no judge. Their truth is the data set's label, so they stand beside
every verdict of a judge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

__all__ = ["Averages", "ClassicMetrics", "Confusion", "classic_metrics"]

OTHER = "(any other answer)"


class Averages(BaseModel):
    """Precision, recall and F1 over the expected categories."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    precision: float
    recall: float
    f1: float


class Confusion(BaseModel):
    """``matrix[i][j]`` samples expected as ``labels[i]`` were answered as ``labels[j]``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: list[str]
    matrix: list[list[int]]


class ClassicMetrics(BaseModel):
    """Measured on exact equality of expected and predicted category."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    accuracy: float
    macro: Averages
    weighted: Averages
    confusion: Confusion


def classic_metrics(expected: Sequence[str], predicted: Sequence[str]) -> ClassicMetrics:
    """Metrics over the categories that are expected; free-text answers share one column.

    Of no samples at all every rate is 0, as is that of a category nobody answers.
    """
    # Reading a report needs this module, but not scikit-learn, which takes a third of a second.
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    categories = sorted(set(expected))
    known = set(categories)
    answers = [answer if answer in known else OTHER for answer in predicted]
    labels = categories + ([OTHER] if OTHER in answers else [])
    counts = Counter(zip(expected, answers, strict=True))

    def averages(kind: str) -> Averages:
        if not expected:
            return Averages(precision=0.0, recall=0.0, f1=0.0)
        precision, recall, f1, _ = precision_recall_fscore_support(
            expected, answers, labels=categories, average=kind, zero_division=0.0
        )
        return Averages(precision=precision, recall=recall, f1=f1)

    return ClassicMetrics(
        accuracy=accuracy_score(expected, answers) if expected else 0.0,
        macro=averages("macro"),
        weighted=averages("weighted"),
        confusion=Confusion(labels=labels, matrix=[[counts[row, column] for column in labels] for row in labels]),
    )
