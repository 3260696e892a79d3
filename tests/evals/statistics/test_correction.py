"""Which corrected pass rate is recommended, and why."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.statistics import correct_pass_rate, prediction_powered_rate, rogan_gladen, wilson
from tests.evals.statistics import quick


def correct(true_pass, false_fail, false_pass, true_fail, passed, failed, *, random_sample=True):
    """Correct with so many labels of each kind, and so many verdicts on other samples."""
    truth = [1] * (true_pass + false_fail) + [0] * (false_pass + true_fail)
    judged = [1] * true_pass + [0] * false_fail + [1] * false_pass + [0] * true_fail
    return correct_pass_rate(truth, judged, [1] * passed + [0] * failed, random_sample=random_sample, confidence=0.95)


class TestRandomLabels:
    def test_ppi_where_the_judge_helps(self):
        found = correct(100, 10, 6, 34, 700, 300)
        assert found.method == "PPI++"
        assert found.reason.startswith("the labels are a random sample of what was judged; the judge shortens")
        assert found.recommended == found.prediction_powered
        assert not found.judge_adds_nothing
        assert found.recommended.interval.width < found.labels_only.interval.width

    def test_labels_alone_with_few_failures(self):
        """Design: PPI++ under-covers with few failures (n = 60, rate .95)."""
        found = correct(52, 5, 1, 2, 400, 100)
        assert found.method == "labels only"
        assert found.reason == "only 3 failures among 60 labels: too few to know the judge's errors by"
        assert found.recommended.interval == wilson(57, 60, confidence=0.95)

    def test_labels_alone_with_few_passes(self):
        assert correct(2, 1, 5, 52, 100, 400).reason.startswith("only 3 passes among 60 labels")

    def test_labels_alone_with_a_judge_no_better_than_chance(self):
        found = correct(25, 25, 25, 25, 500, 500)
        assert found.method == "labels only"
        assert "no better than chance" in found.reason
        assert found.judge_adds_nothing
        assert found.rogan_gladen is None

    def test_a_judge_that_adds_nothing_is_told_so(self):
        found = correct(51, 49, 49, 51, 3, 2)
        assert found.method == "labels only"
        assert found.judge_adds_nothing

    def test_everything_labelled(self):
        found = correct(40, 5, 5, 40, 0, 0)
        assert found.method == "labels only"
        assert found.reason == "every sample is labelled: there is nothing that the judge could add"

    def test_raw_counts_every_verdict(self):
        assert correct(40, 5, 5, 40, 70, 30).raw.rate == pytest.approx((45 + 70) / 190)


class TestForeignLabels:
    def test_rogan_gladen(self):
        found = correct(180, 20, 60, 140, 400, 600, random_sample=False)
        assert found.method == "Rogan-Gladen"
        # The example of Lee et al. (2025).
        assert found.recommended.rate == pytest.approx(0.166667, abs=5e-7)
        assert found.recommended.interval == pytest.approx((0.056351, 0.262733), abs=5e-7)
        assert "no random sample" in found.reason
        assert found.raw.rate == 0.4

    def test_a_judge_that_tells_less_than_as_many_labels_would(self):
        found = correct(180, 20, 60, 140, 400, 600, random_sample=False)
        assert found.judge_adds_nothing
        assert "as many random labels of these samples would tell as much" in found.reason
        assert not correct(198, 2, 2, 198, 4_000, 6_000, random_sample=False).judge_adds_nothing

    def test_labels_that_share_verdicts_are_worth_their_pairs(self):
        truth, judged, pairs = [1] * 40 + [0] * 40, [1] * 36 + [0] * 40 + [1] * 4, [*range(20)] * 4
        alone, shared = (
            correct_pass_rate(truth, judged, [1, 0, 1] * 90, random_sample=False, pairs=names, confidence=0.95)
            for names in (None, pairs)
        )
        assert shared.judge.sensitivity.clusters == 20
        assert shared.recommended.interval.width > alone.recommended.interval.width

    @pytest.mark.parametrize(
        ("cells", "reason"),
        [
            ((25, 25, 25, 25, 500, 500), "not shown to be better than chance"),
            ((10, 30, 20, 15, 500, 500), "not shown to be better than chance"),
            ((40, 2, 0, 0, 500, 500), "no labelled sample truly fails"),
            ((0, 0, 3, 30, 500, 500), "no labelled sample truly passes"),
            ((40, 5, 5, 40, 0, 0), "nothing was judged but the labelled samples"),
            ((70, 30, 5, 95, 990, 10), "errs differently here"),
        ],
    )
    def test_refuses(self, cells, reason):
        found = correct(*cells, random_sample=False)
        assert (found.method, found.recommended) == ("refused", None)
        assert reason in found.reason
        # What can be said is still there to be shown.
        assert found.labels_only.interval.width > 0


@given(st.lists(st.integers(0, 60), min_size=4, max_size=4), st.integers(0, 200), st.integers(0, 200), st.booleans())
@quick
def test_every_input_has_a_clear_result(cells, passed, failed, random_sample):
    if sum(cells) == 0:
        return
    found = correct(*cells, passed, failed, random_sample=random_sample)
    assert found.reason
    assert (found.recommended is None) == (found.method == "refused")
    assert not (random_sample and found.method == "refused")
    candidates = [found.raw, found.labels_only, found.rogan_gladen, found.prediction_powered, found.recommended]
    for candidate in candidates:
        if candidate is not None:
            assert not np.isnan([candidate.rate, *candidate.interval]).any()
            assert 0 <= candidate.interval.low <= candidate.interval.high <= 1
            assert candidate.interval.width > 0


def test_candidates_are_those_of_their_modules():
    found = correct(100, 10, 6, 34, 700, 300)
    truth, judged = [1] * 110 + [0] * 40, [1] * 100 + [0] * 10 + [1] * 6 + [0] * 34
    powered = prediction_powered_rate(truth, judged, [1] * 700 + [0] * 300, confidence=0.95)
    assert found.prediction_powered.interval == powered.interval
    assert found.rogan_gladen == rogan_gladen(
        pass_rate=0.7,
        samples=1_000,
        sensitivity=100 / 110,
        passing_labels=110,
        specificity=34 / 40,
        failing_labels=40,
        confidence=0.95,
    )


def test_coverage_with_few_failures():
    """n = 60, rate .95, judge .9/.8, 500 others: the published PPI++ covers 84 % (oracles.json: 83.6 %)."""
    generator = np.random.default_rng(4)
    covered = 0
    for _ in range(400):
        cells = generator.multinomial(60, [0.855, 0.095, 0.01, 0.04])
        passed = int(generator.binomial(500, 0.865))
        low, high = correct(*cells, passed, 500 - passed).recommended.interval
        covered += low <= 0.95 <= high
    assert covered / 400 > 0.94


@pytest.mark.parametrize(
    ("truth", "judged", "others", "message"),
    [
        ([], [], [1], "truth: a list"),
        ([1, 0], [1], [1], "2 truth, 1 judged"),
        ([1, math.nan], [1, 1], [1], "truth: number 1 of 2 is nan"),
        ([1, 0.5], [1, 1], [1], "neither pass nor fail"),
        ([1, 0], [1, 0], [0.3], "unlabelled: number 0 of 1 is 0.3"),
    ],
)
def test_refusals(truth, judged, others, message):
    with pytest.raises(ValueError, match=message):
        correct_pass_rate(truth, judged, others, random_sample=True, confidence=0.95)
