"""From all votes on a pair to the verdict that counts, and how much the votes disagree.

A judge may be asked several times, and several judges may sit on a panel. All
votes weigh the same whatever they say: asking again only where a sample failed
would raise the pass rate (a failure gets a second chance, a lucky pass does
not). Such confirmations are shown and never counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from evals.verdicts import Verdict

__all__ = ["PairVerdict", "Vote", "count_votes"]


@dataclass(frozen=True, slots=True)
class Vote:
    """What one judge said of a pair, the ``repeat``-th time it was asked (from 0)."""

    judge: str
    repeat: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class PairVerdict:
    """The verdict that counts, the votes it was made from, and later confirmations that do not count."""

    verdict: Verdict
    votes: tuple[Vote, ...]
    confirmations: tuple[Vote, ...] = ()

    def flipped(self, threshold: float) -> bool:
        """Whether votes differ on passing."""
        return len({score >= threshold for score in self.scores}) > 1

    @property
    def scores(self) -> list[float]:
        """Scores of the votes, those without a verdict left out."""
        return [vote.verdict.score for vote in self.votes if vote.verdict.score is not None]

    @property
    def spread(self) -> float:
        """Highest score less lowest; 0 if there is no score."""
        return max(self.scores) - min(self.scores) if self.scores else 0.0


def count_votes(votes: Sequence[Vote]) -> Verdict:
    """The median vote of each judge, and the median of those.

    With an odd number of votes the median reaches a threshold if and only if
    most votes do, so that score and state cannot contradict each other. A vote
    that is missing leaves the pair unscored: the others would no longer be odd,
    nor all alike.
    """
    for vote in votes:
        if vote.verdict.score is None:
            if len(votes) == 1:
                return vote.verdict
            raw = vote.verdict.raw
            return Verdict(None, "", f"{vote.judge}, vote {vote.repeat + 1}: {vote.verdict.error}", raw)
    judges = list(dict.fromkeys(vote.judge for vote in votes))
    middles = [_middle([vote for vote in votes if vote.judge == judge]) for judge in judges]
    return _middle(middles).verdict


def _middle(votes: Sequence[Vote]) -> Vote:
    score = median(vote.verdict.score for vote in votes if vote.verdict.score is not None)
    return next(vote for vote in votes if vote.verdict.score == score)
