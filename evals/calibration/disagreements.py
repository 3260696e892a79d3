"""Where judge and truth differ, the judge's most confident errors first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

from evals.calibration.judgements import Judged
from evals.calibration.model import Disagreement

__all__ = ["disagreements"]


def disagreements(
    samples: Sequence[tuple[Judged, bool]], threshold: float | None, worst: int
) -> tuple[int, list[Disagreement]]:
    """How many of ``samples`` (verdict and truth) differ, and the ``worst`` of them.

    Samples of one cluster got one verdict for one reason, so those that err alike are
    one row. First come those whose score lies furthest from the threshold.
    """
    wrong = [(judged, truth) for judged, truth in samples if judged.passed is not truth]
    alike = Counter(_kind(judged, truth) for judged, truth in wrong)
    first = {_kind(judged, truth): judged for judged, truth in reversed(wrong)}
    scores = [judged.score for judged, _ in samples if judged.score is not None]
    # Without a threshold, the middle of the scores in use stands in for it.
    middle = threshold if threshold is not None else (min(scores) + max(scores)) / 2 if scores else 0.0

    def confidence(kind: tuple[Hashable, bool]) -> tuple[float, int, str]:
        judged = first[kind]
        distance = abs(judged.score - middle) if judged.score is not None else 0.0
        return -distance, -alike[kind], judged.id

    rows = [
        Disagreement(
            kind="false fail" if kind[1] else "false pass",
            id=first[kind].id,
            samples=alike[kind],
            score=first[kind].score,
            reason=first[kind].reason,
            about=first[kind].about,
            text=first[kind].text,
        )
        for kind in sorted(alike, key=confidence)[:worst]
    ]
    return len(wrong), rows


def _kind(judged: Judged, truth: bool) -> tuple[Hashable, bool]:
    return judged.cluster, truth
