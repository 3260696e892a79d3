"""From votes to the verdict that counts."""

from hypothesis import given
from hypothesis import strategies as st

from evals.verdicts import Verdict
from evals.votes import PairVerdict, Vote, count_votes

SCORES = st.integers(0, 10).map(lambda score: score / 10)


def votes(*scores, judges=None):
    judges = judges or ["a"] * len(scores)
    return [
        Vote(judge, repeat, Verdict(score, f"because {score}") if score is not None else Verdict(None, "", "down"))
        for repeat, (judge, score) in enumerate(zip(judges, scores, strict=True))
    ]


@given(st.lists(SCORES, min_size=1, max_size=9).filter(lambda scores: len(scores) % 2), SCORES)
def test_the_median_passes_if_and_only_if_most_votes_do(scores, threshold):
    counted = count_votes(votes(*scores))
    majority = sum(score >= threshold for score in scores) > len(scores) / 2
    assert (counted.score >= threshold) == majority
    assert counted.reason == f"because {counted.score}"


@given(st.permutations([0.0, 0.5, 1.0]))
def test_the_order_of_votes_does_not_matter(scores):
    assert count_votes(votes(*scores)).score == 0.5


def test_each_judge_of_a_panel_has_one_vote_however_often_it_was_asked():
    panel = votes(1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, judges=["a"] * 3 + ["b"] * 3 + ["c"] * 3)
    assert count_votes(panel).score == 0.0


def test_a_missing_vote_leaves_the_pair_unscored():
    counted = count_votes(votes(1.0, None, 1.0))
    assert (counted.score, counted.error) == (None, "a, vote 2: down")


def test_flips_and_spread():
    pair = PairVerdict(Verdict(0.5, ""), tuple(votes(0.2, 0.5, 0.9)))
    assert pair.flipped(0.8)
    assert not pair.flipped(0.1)
    assert round(pair.spread, 9) == 0.7
