"""How much the votes on pairs disagree, for the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from evals.reports.rows import PairKey, PairRow, VoteRow
from evals.reports.trust import NoiseInfo
from evals.votes import PairVerdict, Vote, count_votes

__all__ = ["noise", "pair_rows"]

Pairs = Mapping[PairKey, PairVerdict]
Threshold = Callable[[str], float]
"""The score from which a metric passes, by its name."""


def pair_rows(
    pairs: Pairs, samples: Mapping[PairKey, int], texts: Mapping[PairKey, tuple[str, str]], threshold: Threshold
) -> list[PairRow]:
    """Rows of the pairs with several votes, those with most disagreement first.

    ``texts`` are (expected, predicted) as they are to be shown.
    """
    rows = [
        PairRow(
            metric=pair.metric,
            digest=pair.digest,
            expected=texts[pair][0],
            predicted=texts[pair][1],
            samples=samples[pair],
            score=verdict.verdict.score,
            spread=verdict.spread,
            flipped=verdict.flipped(threshold(pair.metric)),
            votes=[_row(vote) for vote in verdict.votes],
            confirmations=[_row(vote) for vote in verdict.confirmations],
        )
        for pair, verdict in pairs.items()
        if len(verdict.votes) > 1 or verdict.confirmations
    ]
    return sorted(rows, key=lambda row: (not row.flipped, -row.spread, row.expected, row.predicted))


def noise(pairs: Pairs, samples: Mapping[PairKey, int], threshold: Threshold) -> NoiseInfo | None:
    """Flips, disagreement, spread and confirmations; None if nothing was asked twice."""
    several = {pair: verdict for pair, verdict in pairs.items() if len(verdict.votes) > 1}
    confirmed = {pair: verdict for pair, verdict in pairs.items() if verdict.confirmations}
    if not several and not confirmed:
        return None
    flipped = sum(
        any(_differ(own, threshold(pair.metric)) for own in _by_judge(verdict.votes))
        for pair, verdict in several.items()
    )
    disagreed = sum(
        _differ_scores([count_votes(own).score for own in _by_judge(verdict.votes)], threshold(pair.metric))
        for pair, verdict in several.items()
    )
    overturned = [pair for pair, verdict in confirmed.items() if _overturned(verdict, threshold(pair.metric))]
    spreads = [verdict.spread for verdict in several.values()]
    return NoiseInfo(
        pairs=len(several),
        flipped_pairs=flipped,
        flip_rate=flipped / len(several) if several else None,
        disagreed_pairs=disagreed,
        disagreement_rate=disagreed / len(several) if several else None,
        mean_spread=fmean(spreads) if spreads else None,
        max_spread=max(spreads) if spreads else None,
        confirmed_pairs=len(confirmed),
        overturned_pairs=len(overturned),
        overturned_samples=sum(samples[pair] for pair in overturned),
    )


def _row(vote: Vote) -> VoteRow:
    verdict = vote.verdict
    return VoteRow(
        judge=vote.judge, repeat=vote.repeat, score=verdict.score, reason=verdict.reason, error=verdict.error
    )


def _by_judge(votes: Sequence[Vote]) -> list[list[Vote]]:
    return [[vote for vote in votes if vote.judge == judge] for judge in dict.fromkeys(vote.judge for vote in votes)]


def _differ(votes: Sequence[Vote], threshold: float) -> bool:
    return _differ_scores([vote.verdict.score for vote in votes], threshold)


def _differ_scores(scores: Sequence[float | None], threshold: float) -> bool:
    return len({score >= threshold for score in scores if score is not None}) > 1


def _overturned(verdict: PairVerdict, threshold: float) -> bool:
    passes = [vote.verdict.score >= threshold for vote in verdict.confirmations if vote.verdict.score is not None]
    return 2 * sum(passes) > len(passes)
