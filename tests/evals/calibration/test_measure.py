"""Every figure of a calibration, against a count by hand or the statistic it should be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.calibration.judgements import Judged, JudgeData, judged_report
from evals.calibration.measure import calibrate
from evals.calibration.model import Calibration, SourceInfo
from evals.calibration.truth import TrueLabel, Truth, of_report
from evals.reports.trust import NoiseInfo
from evals.statistics import judge_error, prediction_powered_rate, rogan_gladen, wilson
from fixtures.contracts.errors import UserError
from tests.evals.calibration import judged, noisy_report, quick


def against_labels(report, **given):
    """Against the data set's own labels."""
    data = judged_report(report, name="report.json", digest="0" * 64, confidence=0.95)
    return calibrate(data, of_report(report), drawn=None, confidence=0.95, **given)


def judge(*passed, scores=None, groups=None, threshold=0.5):
    """A judge's verdicts on samples "0", "1", ..."""
    samples = [
        Judged(str(n), n, one, scores[n] if scores else None, f"reason {n}", groups[n] if groups else None, "", "")
        for n, one in enumerate(passed)
    ]
    unscored = sum(one is None for one in passed)
    source = SourceInfo(name="j", digest="", samples=len(samples), unscored=unscored, threshold=threshold)
    return JudgeData("j", source, None, samples, None)


def labels(*passed, part=None, ties=(), scores=None):
    """Labels of samples "0", "1", ...; None: not labelled."""
    known = {
        str(n): TrueLabel(one, scores[n] if scores else None, part) for n, one in enumerate(passed) if one is not None
    }
    return Truth("ratings.csv", "majority", known, ties=list(ties))


def measured(data, truth, drawn=None):
    return calibrate(data, truth, drawn=drawn, confidence=0.95)


class TestAgainstTheLabelsOfTheData:
    def test_counts(self):
        found = against_labels(judged((50, 5, 4, 16, 3)))
        counts = found.confusion
        assert (counts.true_pass, counts.false_fail, counts.false_pass, counts.true_fail) == (50, 5, 4, 16)
        assert (found.source.samples, found.source.unscored, found.truth.measured) == (78, 3, 75)
        assert found.disagreements == 9

    def test_errors_are_clustered_on_distinct_pairs(self):
        found = against_labels(judged((50, 5, 4, 16)))
        expected = judge_error(
            [1] * 55 + [0] * 20,
            [1] * 50 + [0] * 5 + [1] * 4 + [0] * 16,
            pairs=["a"] * 50 + ["b"] * 5 + [*range(20)],
            confidence=0.95,
        )
        for name in ("accuracy", "sensitivity", "specificity"):
            rate, other = getattr(found, name), getattr(expected, name)
            assert (rate.rate, rate.samples, rate.clusters, rate.effective) == (
                other.rate,
                other.samples,
                other.clusters,
                other.effective,
            )
            assert (rate.low, rate.high) == other.interval
        assert found.sensitivity.clusters == 2
        # Two pairs say next to nothing of how often the judge fails what is right.
        assert found.sensitivity.high - found.sensitivity.low > 0.5
        # Kappa is no surer than the accuracy that it is made from.
        assert found.kappa.high - found.kappa.low > 0.5

    def test_accuracy_is_the_truth_and_needs_no_correction(self):
        report = judged((50, 5, 4, 16, 3))
        rates = against_labels(report).pass_rate
        assert rates.recommended == rates.estimates[0].method == "labels only"
        assert rates.estimates[0].rate == report.classic.accuracy == 58 / 78
        assert (rates.estimates[0].low, rates.estimates[0].high) == wilson(58, 78, confidence=0.95)
        assert "need no correction" in rates.reason
        assert rates.about == "all 78 samples"
        assert [row.rate for row in rates.estimates[1:]] == [54 / 75, None, None]

    def test_pairs_that_err_alike_are_one_disagreement(self):
        found = against_labels(judged((5, 7, 2, 5)))
        assert [(row.kind, row.samples, row.score) for row in found.worst] == [
            ("false fail", 7, 0.2),
            ("false pass", 1, 1.0),
            ("false pass", 1, 1.0),
        ]
        assert found.worst[0].about == "answered b, expected b"
        assert found.worst[0].reason == "odd"

    def test_only_so_many_disagreements_are_shown(self):
        found = against_labels(judged((5, 0, 30, 5)), worst=4)
        assert (found.disagreements, len(found.worst)) == (30, 4)

    @pytest.mark.parametrize(
        ("cells", "kappa"),
        [
            ((10, 0, 0, 0), None),
            ((0, 0, 0, 10), None),
            ((1, 0, 0, 0), None),
            ((0, 0, 1, 0), 0.0),
            ((0, 10, 10, 0), -1.0),
        ],
    )
    def test_all_alike(self, cells, kappa):
        found = against_labels(judged(cells))
        assert found.kappa.kappa == kappa
        assert (found.sensitivity is None) == (cells[0] + cells[1] == 0)
        assert (found.specificity is None) == (cells[2] + cells[3] == 0)

    def test_no_verdict_at_all(self):
        with pytest.raises(UserError, match="gave no verdict on any of the 3 labelled samples"):
            against_labels(judged((0, 0, 0, 0, 3)))


class TestPassRates:
    def random_labels(self, part="random"):
        passed = [True] * 60 + [False] * 40 + [True] * 700 + [False] * 300
        right = [True] * 55 + [False] * 5 + [True] * 6 + [False] * 34
        return judge(*passed), labels(*right, part=part), (right, passed)

    def test_a_random_part(self):
        data, truth, (right, passed) = self.random_labels()
        found = measured(data, truth)
        expected = prediction_powered_rate(right, passed[:100], passed[100:], confidence=0.95)
        rates = found.pass_rate
        assert found.truth.random is True
        assert rates.recommended == rates.estimates[0].method == "PPI++"
        assert rates.estimates[0].rate == expected.mean
        assert (rates.estimates[0].low, rates.estimates[0].high) == expected.interval
        assert rates.about == "the 1,100 samples that were judged"
        assert {row.method: row.rate for row in rates.estimates}["judge alone"] == 760 / 1100

    def test_labels_from_elsewhere(self):
        data, truth, _ = self.random_labels(part=None)
        found = measured(data, truth)
        expected = rogan_gladen(
            pass_rate=0.7,
            samples=1000,
            sensitivity=55 / 61,
            passing_labels=61,
            specificity=34 / 39,
            failing_labels=39,
            confidence=0.95,
        )
        rates = found.pass_rate
        assert found.truth.random is False
        assert rates.recommended == "Rogan-Gladen"
        assert rates.estimates[0].rate == pytest.approx(expected.rate)
        assert {row.method: row.rate for row in rates.estimates}["PPI++"] is None
        assert rates.about == "the 1,000 samples without a label"
        assert "say --labels random" in found.notes[-1]

    def test_labels_from_elsewhere_are_worth_their_pairs(self):
        report = judged((300, 0, 100, 100))
        data = judged_report(report, name="report.json", digest="0" * 64, confidence=0.95)
        rows = [row for place, row in enumerate(report.samples) if place % 2]
        truth = Truth("r", "majority", {row.id: TrueLabel(row.predicted == row.expected) for row in rows})
        found = measured(data, truth)
        # All right answers are one pair: nobody knows what the judge makes of another one.
        assert found.sensitivity.effective == pytest.approx(1)
        best = found.pass_rate.estimates[0]
        assert (best.method, best.rate) == ("Rogan-Gladen", pytest.approx(0.6))
        expected = rogan_gladen(
            pass_rate=0.8,
            samples=250,
            sensitivity=1.0,
            passing_labels=1.0,
            specificity=0.5,
            failing_labels=100,
            confidence=0.95,
        )
        assert (best.low, best.high) == pytest.approx(expected.interval)
        assert found.pass_rate.judge_adds_nothing

    def test_the_user_may_know_how_labels_were_drawn(self):
        data, unknown, _ = self.random_labels(part=None)
        assert measured(data, unknown, "random").pass_rate.recommended == "PPI++"
        data, drawn, _ = self.random_labels()
        found = measured(data, drawn, "other")
        assert found.pass_rate.recommended == "Rogan-Gladen"
        assert found.notes == []

    def test_the_oracle_of_rogan_and_gladen(self, shared_data):
        """The example of Lee et al. (2025): labels elsewhere, 1,000 samples, 40 % of which pass."""
        passed = [True] * 180 + [False] * 20 + [True] * 60 + [False] * 140 + [True] * 400 + [False] * 600
        rates = measured(judge(*passed), labels(*[True] * 200, *[False] * 200)).pass_rate
        assert rates.recommended == "Rogan-Gladen"
        best = rates.estimates[0]
        assert [best.rate, best.low, best.high] == pytest.approx([0.166667, 0.056351, 0.262733], abs=5e-7)

    def test_a_judge_no_better_than_chance(self):
        passed = [True, False] * 200
        found = measured(judge(*passed), labels(*[True] * 100, *[False] * 100))
        assert found.pass_rate.recommended is None
        assert "not shown to be better than chance" in found.pass_rate.reason

    def test_labels_drawn_for_a_disagreement_are_never_counted(self):
        data, truth, _ = self.random_labels()
        odd = {str(n): TrueLabel(False, None, "focus") for n in range(100, 130)}
        without, with_odd = measured(data, truth), measured(data, Truth("r", "majority", truth.labels | odd))
        assert with_odd.pass_rate == without.pass_rate
        assert (with_odd.sensitivity, with_odd.kappa) == (without.sensitivity, without.kappa)
        assert with_odd.disagreements == without.disagreements + 30
        assert any("30 labels of part focus" in note for note in with_odd.notes)

    def test_labels_drawn_for_disagreements_alone_measure_nothing(self):
        with pytest.raises(UserError, match="have a random part rated, too"):
            measured(judge(True, False, True), labels(True, True, part="focus"))

    def test_unless_they_are_all_there_are(self):
        found = measured(judge(True, False), labels(True, True, part="focus"))
        assert (found.truth.random, found.truth.measured) == (None, 2)

    def test_ties_are_left_out_altogether(self):
        found = measured(judge(True, False, True), labels(True, True, ties=["2"]))
        assert found.truth.random is None
        assert "raters are evenly split on 1 samples" in found.notes[0]
        assert found.pass_rate.estimates[0].rate == 1.0
        assert found.pass_rate.about == "the 2 labelled samples"

    def test_no_label_is_of_a_judged_sample(self):
        truth = Truth("ratings.csv", "majority", {"x": TrueLabel(True)})
        with pytest.raises(UserError, match=r"no label is of a sample that was judged \(x is labelled, 0 is judged\)"):
            measured(judge(True), truth)

    def test_some_labels_are_of_others(self):
        truth = Truth("ratings.csv", "majority", {"x": TrueLabel(True), "0": TrueLabel(True)})
        assert "1 labelled samples are not among those judged; left out" in measured(judge(True), truth).notes


class TestScores:
    def test_grouped_and_pooled(self):
        scores, groups = [0.1, 0.2, 0.3, 0.9, 0.8, 0.5], ["a", "a", "a", "b", "b", "c"]
        data = judge(*[score >= 0.5 for score in scores], scores=scores, groups=groups)
        truth = labels(*[False] * 3, *[True] * 3, scores=[1.0, 2.0, 3.0, 6.0, 9.0, 5.0])
        spearman, kendall = measured(data, truth).correlations
        assert spearman.graded
        assert spearman.pooled == pytest.approx(1 - 6 * 2 / (6 * 35))
        # Group a agrees, b is upside down, c is one sample alone.
        assert spearman.grouped == pytest.approx(0.0)
        assert (spearman.groups, spearman.skipped) == (3, 1)
        assert kendall.pooled == pytest.approx(13 / 15)

    def test_equal_scores_have_no_order(self):
        data = judge(True, True, scores=[0.9, 0.9])
        assert [row.pooled for row in measured(data, labels(True, False)).correlations] == [None, None]

    def test_no_scores(self):
        assert measured(judge(True, False), labels(True, False)).correlations == []


def test_flips_of_a_report_are_those_of_its_repeats():
    report = judged((5, 1, 1, 5))
    assert against_labels(report).flips is None
    noise = NoiseInfo(
        pairs=8,
        flipped_pairs=2,
        flip_rate=0.25,
        disagreed_pairs=0,
        disagreement_rate=0.0,
        mean_spread=0.1,
        max_spread=0.4,
        confirmed_pairs=0,
        overturned_pairs=0,
        overturned_samples=0,
    )
    repeated = report.judge.model_copy(update={"repeats": 3})
    flips = against_labels(report.model_copy(update={"noise": noise, "judge": repeated})).flips
    assert (flips.flipped, flips.asked_again, flips.rate, flips.mean_spread) == (2, 8, 0.25, 0.1)
    assert (flips.low, flips.high) == wilson(2, 8, confidence=0.95)


def test_a_large_report():
    found = against_labels(noisy_report(1500))
    assert found.sensitivity.samples + found.specificity.samples == 1500
    assert found.sensitivity.clusters <= 20


ANSWER = st.tuples(st.sampled_from([True, False, None]), st.sampled_from([True, False, None]))


@given(
    st.lists(ANSWER, min_size=1, max_size=30),
    st.sampled_from([None, "random", "focus"]),
    st.sampled_from([None, "random", "other"]),
    st.floats(0, 1),
)
@quick
def test_every_input_has_a_clear_result(answers, part, drawn, score):
    data = judge(*[said for said, _ in answers], scores=[score * n for n in range(len(answers))])
    truth = labels(*[right for _, right in answers], part=part)
    try:
        found = measured(data, truth, drawn)
    except UserError as error:
        assert "\n" not in str(error)  # noqa: PT017
        return
    assert Calibration.model_validate_json(found.to_json()) == found
    counts = found.confusion
    assert counts.true_pass + counts.false_fail + counts.false_pass + counts.true_fail == found.truth.measured
    assert found.pass_rate.reason
    for row in found.pass_rate.estimates:
        assert (row.rate is None) == (row.low is None)
        assert row.rate is None or 0 <= row.low <= row.high <= 1
    if found.pass_rate.recommended is not None:
        assert found.pass_rate.estimates[0].method == found.pass_rate.recommended
        assert found.pass_rate.estimates[0].low < found.pass_rate.estimates[0].high
