"""The names that logs of a training give to the same six measures.

A dialect is recognised by its columns alone: not by the file's name, the order
of the columns or that of the rows. The one that explains the most columns wins.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from training.diagnosis.curves import Measure as _M

__all__ = ["DIALECTS", "STEP", "Dialect", "plain", "recognise"]


class Dialect(NamedTuple):
    """Who writes so, and which column holds what. Of two columns for one measure, the first is read."""

    name: str
    columns: Mapping[str, _M]


STEP = ("step", "ステップ", "epoch")
"""Where a point stands; the first of these that there is. Epochs will do where there is nothing finer."""

DIALECTS = (
    Dialect(
        "curves.csv of this project",
        {
            "train_loss": _M.TRAIN_LOSS,
            "train_accuracy": _M.TRAIN_ACCURACY,
            # Measured on all validation documents, as Trainer does.
            "validation_loss": _M.FULL_VALIDATION_LOSS,
            "validation_accuracy": _M.FULL_VALIDATION_ACCURACY,
        },
    ),
    Dialect(
        "OpenAI's dashboard",
        {
            "training_loss": _M.TRAIN_LOSS,
            "validation_loss": _M.VALIDATION_LOSS,
            "full_validation_loss": _M.FULL_VALIDATION_LOSS,
            "training_accuracy": _M.TRAIN_ACCURACY,
            "validation_accuracy": _M.VALIDATION_ACCURACY,
            "full_validation_accuracy": _M.FULL_VALIDATION_ACCURACY,
            "訓練損失": _M.TRAIN_LOSS,
            "検証損失": _M.VALIDATION_LOSS,
            "完全検証損失": _M.FULL_VALIDATION_LOSS,
            "訓練トークン精度": _M.TRAIN_ACCURACY,
            "検証トークン精度": _M.VALIDATION_ACCURACY,
        },
    ),
    Dialect(
        "OpenAI's step metrics",
        {
            "train_loss": _M.TRAIN_LOSS,
            "train_accuracy": _M.TRAIN_ACCURACY,
            "valid_loss": _M.VALIDATION_LOSS,
            "valid_mean_token_accuracy": _M.VALIDATION_ACCURACY,
            "full_valid_loss": _M.FULL_VALIDATION_LOSS,
            "full_valid_mean_token_accuracy": _M.FULL_VALIDATION_ACCURACY,
        },
    ),
    Dialect(
        "OpenAI's job events",
        {
            "train_loss": _M.TRAIN_LOSS,
            "train_mean_token_accuracy": _M.TRAIN_ACCURACY,
            "valid_loss": _M.VALIDATION_LOSS,
            "valid_mean_token_accuracy": _M.VALIDATION_ACCURACY,
            "full_valid_loss": _M.FULL_VALIDATION_LOSS,
            "full_valid_mean_token_accuracy": _M.FULL_VALIDATION_ACCURACY,
        },
    ),
    Dialect(
        "Azure's results.csv",
        {
            "train_loss": _M.TRAIN_LOSS,
            "train_mean_token_accuracy": _M.TRAIN_ACCURACY,
            "valid_loss": _M.VALIDATION_LOSS,
            "validation_mean_token_accuracy": _M.VALIDATION_ACCURACY,
            "full_valid_loss": _M.FULL_VALIDATION_LOSS,
            "full_valid_mean_token_accuracy": _M.FULL_VALIDATION_ACCURACY,
            # As the fine-tunes API before it called them.
            "training_loss": _M.TRAIN_LOSS,
            "training_token_accuracy": _M.TRAIN_ACCURACY,
            "validation_loss": _M.VALIDATION_LOSS,
            "validation_token_accuracy": _M.VALIDATION_ACCURACY,
        },
    ),
    Dialect(
        "Trainer's log",
        {
            # Its "train_loss" is the mean of the whole training, logged once, and no point of a curve.
            "loss": _M.TRAIN_LOSS,
            "mean_token_accuracy": _M.TRAIN_ACCURACY,
            "eval_loss": _M.FULL_VALIDATION_LOSS,
            "eval_mean_token_accuracy": _M.FULL_VALIDATION_ACCURACY,
            "eval_accuracy": _M.FULL_VALIDATION_ACCURACY,
        },
    ),
    Dialect(
        "TensorBoard's events",
        {
            "train/loss": _M.TRAIN_LOSS,
            "train/mean_token_accuracy": _M.TRAIN_ACCURACY,
            "eval/loss": _M.FULL_VALIDATION_LOSS,
            "eval/mean_token_accuracy": _M.FULL_VALIDATION_ACCURACY,
            "eval/accuracy": _M.FULL_VALIDATION_ACCURACY,
        },
    ),
)


def plain(heading: str) -> str:
    """A column's name without what spreadsheets, pages and people change in it: case, width, spaces."""
    return re.sub(r"[\s\-]+", "_", unicodedata.normalize("NFKC", heading).strip().lower())


def recognise(columns: Iterable[str]) -> Dialect | None:
    """The dialect that explains most of ``columns``, losses before all; None if none has a loss among them.

    ``columns`` are given as `plain` has them.
    """
    present = set(columns)

    def explained(dialect: Dialect) -> tuple[int, int]:
        measures = {dialect.columns[column] for column in present & set(dialect.columns)}
        return sum(measure.endswith("loss") for measure in measures), len(measures)

    best = max(DIALECTS, key=explained)
    return best if explained(best)[0] else None
