"""The gate's verdict, and the numbers behind it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.gate import Evidence, Tally, evaluate_gate, not_evaluated, run_fails
from evals.settings import GatePolicy
from evals.statistics import samples_to_decide, wilson

COUNTS = st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def gate(passed, failed, unscored=0, **policy):
    return evaluate_gate(Evidence(Tally(passed=passed, failed=failed, unscored=unscored)), GatePolicy(**policy))


class TestWilson:
    def test_published_example(self):
        # Brown, Cai and DasGupta (2001); also Newcombe (1998), table I: 81 of 263 gives .2553 to .3662.
        assert wilson(81, 263, confidence=0.95) == pytest.approx((0.2553, 0.3662), abs=5e-5)

    @given(COUNTS, st.floats(0.5, 0.999))
    def test_ends_solve_the_score_equation(self, counts, confidence):
        """Each end is the rate at which the observed one is exactly z standard errors away."""
        from scipy.stats import norm

        passed, total = counts
        z = norm.ppf((1 + confidence) / 2)
        for end in wilson(passed, total, confidence=confidence):
            if 0 < end < 1:
                distance = abs(passed / total - end) / math.sqrt(end * (1 - end) / total)
                assert distance == pytest.approx(z, rel=1e-6)

    @pytest.mark.parametrize(("passed", "total", "confidence"), [(1, 0, 0.9), (2, 1, 0.9), (-1, 1, 0.9), (1, 1, 1.0)])
    def test_impossible_arguments(self, passed, total, confidence):
        with pytest.raises(ValueError, match=r"cannot form a rate|confidence must lie"):
            wilson(passed, total, confidence=confidence)


class TestOutcome:
    @pytest.mark.parametrize(
        ("passed", "outcome"),
        [(100, "pass"), (87, "pass"), (86, "inconclusive"), (74, "inconclusive"), (73, "fail"), (0, "fail")],
    )
    def test_at_100_samples(self, passed, outcome):
        assert gate(passed, 100 - passed).outcome == outcome

    @given(COUNTS)
    def test_more_passing_samples_never_make_it_worse(self, counts):
        order = ["fail", "inconclusive", "pass"]
        passed, total = counts
        if passed < total:
            better = gate(passed + 1, total - passed - 1).outcome
            assert order.index(better) >= order.index(gate(passed, total - passed).outcome)

    def test_unscored_samples_make_the_run_incomplete(self):
        assert gate(100, 0, 1).outcome == "incomplete"
        assert gate(100, 0, 1, max_unscored=1).outcome == "pass"
        assert gate(95, 0, 5, max_unscored_share=0.05).outcome == "pass"
        assert gate(95, 0, 6, max_unscored_share=0.05).outcome == "incomplete"

    def test_nothing_scored_is_never_a_pass(self):
        assert gate(0, 0, 3, max_unscored=10).outcome == "incomplete"

    def test_every_sample(self):
        assert gate(1000, 1, gate="every-sample").outcome == "fail"
        assert gate(3, 0, gate="every-sample").outcome == "pass"

    def test_one_sample(self):
        assert gate(1, 0).outcome == "inconclusive"
        assert gate(0, 1).outcome == "fail"


class TestSentence:
    def test_83_of_100(self):
        assert gate(83, 17).sentence == (
            "Inconclusive: 83 of 100 samples pass, between 74.5% and 89.1% with 95% confidence; 80% is required; "
            "if the rate is truly 83.0%, about 1,100 samples would decide it with 80% power."
        )

    def test_clear_cases_need_no_further_figure(self):
        assert gate(97, 3).sentence.endswith("with 95% confidence; 80% is required.")
        assert gate(40, 60).sentence.endswith("with 95% confidence; 80% is required.")

    def test_a_verdict_that_the_interval_seems_to_contradict_is_explained(self):
        assert gate(87, 13).sentence.endswith("; 80% is required, and the one-sided lower bound is 80.5%.")
        assert gate(73, 27).sentence.endswith("; 80% is required, and the one-sided upper bound is 79.6%.")

    def test_a_rate_at_the_requirement_is_decided_by_no_number(self):
        assert "no number of samples decides" in gate(80, 20).sentence
        assert samples_to_decide(0.8, 0.8, confidence=0.95) is None


@pytest.mark.parametrize(
    ("outcome_counts", "fails"),
    [((100, 0), "---"), ((83, 17), "-x-"), ((10, 90), "xx-")],
)
def test_what_fails_a_run(outcome_counts, fails):
    verdict = gate(*outcome_counts)
    shown = "".join("x" if run_fails(verdict, on) else "-" for on in ("fail", "inconclusive", "never"))
    assert shown == fails
    assert all(run_fails(gate(1, 1, 1), on) for on in ("fail", "inconclusive", "never"))
    assert not run_fails(not_evaluated("why", GatePolicy()), "fail")
