"""From the votes as they come in to how far judging is."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from statistics import median

from evals.judges.base import Judgement
from evals.progress.snapshots import Judged
from evals.votes import Vote, count_votes

__all__ = ["RunningCount"]

LATEST = 100
"""Answers whose latency is shown: enough for a steady figure, few enough to follow a server that slows down."""


class RunningCount:
    """Counts votes. One more takes as long as the first, however many samples there are.

    ``due`` says how many votes make a pair's verdict, ``samples`` how many
    samples that verdict serves; a pair without samples counts for no pass rate.
    ``threshold`` tells the score from which a pair passes.
    """

    def __init__(
        self, due: Mapping[Judgement, int], samples: Mapping[Judgement, int], *, threshold: Callable[[Judgement], float]
    ) -> None:
        self.total = len(due)
        self._due = due
        self._samples = samples
        self._threshold = threshold
        self._votes: dict[Judgement, list[Vote]] = {pair: [] for pair in due}
        self._found = dict.fromkeys(due, 0)
        self._latencies: deque[float] = deque(maxlen=LATEST)
        self._done = self._known = self._unscored = self._errors = self._passed = self._scored = 0

    def found(self, pair: Judgement) -> None:
        """The next vote on ``pair`` is from the store."""
        self._found[pair] += 1

    def answered(self, seconds: float) -> None:
        """A judge gave a verdict. Rules take no time; they have no latency to show."""
        if seconds > 0:
            self._latencies.append(seconds)

    def failed(self) -> None:
        """A judge was asked and gave no verdict."""
        self._errors += 1

    def add(self, pair: Judgement, vote: Vote) -> None:
        """A vote on ``pair``, with or without a verdict."""
        votes = self._votes[pair]
        votes.append(vote)
        if len(votes) < self._due[pair]:
            return
        self._done += 1
        self._known += self._found[pair] == self._due[pair]
        score = count_votes(votes).score
        if score is None:
            self._unscored += 1
            return
        samples = self._samples.get(pair, 0)
        self._scored += samples
        self._passed += samples * (score >= self._threshold(pair))

    def snapshot(self, *, cost: float | None) -> Judged:
        """Everything so far."""
        return Judged(
            total=self.total,
            done=self._done,
            known=self._known,
            unscored=self._unscored,
            errors=self._errors,
            passed=self._passed,
            scored=self._scored,
            latency=median(self._latencies) if self._latencies else None,
            cost=cost,
        )
