"""Two reports paired on sample ids: the right samples are counted, and nothing is compared that must not be."""

import re
import time
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.stats import binom

from evals.comparison import Comparison, compare
from evals.gate import not_evaluated
from evals.noninferiority import no_worse
from evals.reports import read_report
from evals.reports.rows import SampleRow
from evals.reports.subject import JudgeMember
from evals.settings import GatePolicy
from evals.statistics.paired import score_distance
from fixtures.contracts.errors import UserError
from tests.evals.test_reports import report_of

STATES = {"p": ("passed", 1.0), "f": ("failed", 0.0), "u": ("unscored", None)}
WHOLE = report_of([("text", "sci.space", "sci.space", 1.0, "right")])


def row(number, state="p", expected="sci.space", predicted=None):
    name, score = STATES[state]
    return SampleRow(
        id=f"sample-{number}",
        expected=expected,
        predicted=predicted if predicted is not None else expected if state == "p" else "rec.autos",
        prediction_score=None,
        state=name,
        score=score,
        reason="",
        error=None,
        raw=None,
        digest=f"text {number}",
        text="",
    )


def report(samples, *, judge=None, data=None, **given):
    """A report on these samples: rows, or a letter for each."""
    rows = [row(number, state) for number, state in enumerate(samples)] if isinstance(samples, str) else list(samples)
    parts = {
        "samples": rows,
        "judge": WHOLE.judge.model_copy(update=judge or {}),
        "dataset": WHOLE.dataset.model_copy(update=data or {}),
    }
    return WHOLE.model_copy(update=parts | given)


def changed(gained, lost, samples):
    """Two reports of which the new one gained and lost so many."""
    same = samples - gained - lost
    return report("f" * gained + "p" * lost + "p" * same), report("p" * gained + "f" * lost + "p" * same)


def compared(baseline, new, **given):
    return compare(baseline, new, **{"confidence": 0.95, **given})


def refusal(baseline, new, **given):
    with pytest.raises(UserError) as caught:
        compared(baseline, new, **given)
    first, *reasons = str(caught.value).splitlines()
    assert first == "these reports cannot be compared:"
    assert "\x1b" not in str(caught.value)
    return [reason.strip() for reason in reasons]


ANSWERS = st.fixed_dictionaries(
    {"state": st.sampled_from("ppfu"), "predicted": st.sampled_from(["sci.space", "rec.autos", "sci.med"])}
)
SAMPLES = st.dictionaries(st.integers(0, 30), st.tuples(ANSWERS, ANSWERS, st.sampled_from("0011ab")), max_size=30)


def two_reports(samples):
    """The same samples answered twice; ``a`` and ``b`` are in one report only. The second is in reverse order."""
    categories = ["sci.space", "rec.autos", "sci.med"]
    rows = [
        (
            row(number, expected=categories[number % 3], **old),
            row(number, expected=categories[number % 3], **new),
            where,
        )
        for number, (old, new, where) in samples.items()
    ]
    first = [old for old, _, where in rows if where != "b"]
    second = [new for _, new, where in reversed(rows) if where != "a"]
    return first, second


def midp(gained, lost):
    """Twice the smaller tail, less the probability of what was seen."""
    if gained == lost:
        return 1 - binom.pmf(gained, 2 * gained, 0.5) / 2 if gained else 1.0
    fewer, both = min(gained, lost), gained + lost
    return 2 * binom.cdf(fewer, both, 0.5) - binom.pmf(fewer, both, 0.5)


def check_rate(rate, pairs):
    """Against counting by hand; ``pairs`` are successes before and after."""
    counts = Counter(pairs)
    assert rate.samples == len(pairs)
    assert (rate.gained, rate.lost) == (counts[False, True], counts[True, False])
    assert rate.baseline == pytest.approx((counts[True, True] + counts[True, False]) / len(pairs))
    assert rate.new == pytest.approx((counts[True, True] + counts[False, True]) / len(pairs))
    assert rate.difference == pytest.approx(rate.new - rate.baseline)
    assert -1 <= rate.low <= rate.difference <= rate.high <= 1
    assert rate.p_value == pytest.approx(midp(rate.gained, rate.lost))


class TestCounts:
    @hypothesis_settings(deadline=None)
    @given(SAMPLES)
    def test_against_counting_by_hand(self, samples):
        first, second = two_reports(samples)
        matched = [(old, new) for old in first for new in second if old.id == new.id]
        scored = [(old, new) for old, new in matched if old.score is not None and new.score is not None]
        if not scored:
            assert refusal(report(first), report(second))
            return
        found = compared(report(first), report(second))

        assert (found.matched, found.unscored) == (len(matched), len(matched) - len(scored))
        check_rate(found.pass_rate, [(old.score == 1, new.score == 1) for old, new in scored])
        check_rate(
            found.accuracy, [(old.expected == old.predicted, new.expected == new.predicted) for old, new in matched]
        )
        assert set(found.only_in_baseline) == {old.id for old in first} - {new.id for new in second}
        assert set(found.only_in_new) == {new.id for new in second} - {old.id for old in first}

        by_category = {entry.category: entry for entry in found.categories}
        assert set(by_category) == {old.expected for old, _ in scored}
        for category, entry in by_category.items():
            check_rate(entry.pass_rate, [(o.score == 1, n.score == 1) for o, n in scored if o.expected == category])
        ranked = sorted(found.categories, key=lambda entry: entry.pass_rate.p_value)
        highest = 0.0
        for rank, entry in enumerate(ranked):
            highest = max(highest, min(1.0, entry.pass_rate.p_value * (len(ranked) - rank)))
            assert entry.p_adjusted == pytest.approx(highest)

        by_id = {old.id: (old, new) for old, new in scored}
        assert {change.id for change in found.changes} == {key for key, (o, n) in by_id.items() if o.score != n.score}
        for change in found.changes:
            old, new = by_id[change.id]
            assert change.change == ("gained" if new.score == 1 else "lost")
            assert (change.expected, change.predicted_before, change.predicted_after, change.score_before) == (
                *(old.expected, old.predicted, new.predicted),
                old.score,
            )
        assert [change.change for change in found.changes] == sorted(
            (change.change for change in found.changes), reverse=True
        ), "lost ones stand first"

    @hypothesis_settings(deadline=None)
    @given(SAMPLES)
    def test_exchanging_the_reports_changes_the_sign_and_nothing_else(self, samples):
        first, second = map(report, two_reports(samples))
        try:
            there, back = compared(first, second), compared(second, first)
        except UserError:
            return
        for one, other in [
            (there.pass_rate, back.pass_rate),
            (there.accuracy, back.accuracy),
            *zip(
                (entry.pass_rate for entry in there.categories),
                (entry.pass_rate for entry in back.categories),
                strict=True,
            ),
        ]:
            assert (one.gained, one.lost, one.baseline, one.new) == (
                other.lost,
                other.gained,
                other.new,
                other.baseline,
            )
            assert one.difference == -other.difference
            assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-12)
            assert one.p_value == other.p_value
        assert there.only_in_baseline == back.only_in_new
        assert {change.id for change in there.changes} == {change.id for change in back.changes}
        assert [entry.p_adjusted for entry in there.categories] == [entry.p_adjusted for entry in back.categories]

    @pytest.mark.parametrize(
        ("gained", "lost", "samples", "low", "high", "p_value"),
        [
            # Tango (1998), section 6.2, and Fagerland, Lydersen and Laake (2013, 2014), airway hyper-responsiveness.
            (9, 3, 32, -0.027, 0.390, 598 / 4096),
            (1, 7, 21, -0.517, -0.026, 10 / 256),
        ],
    )
    def test_published_tables(self, gained, lost, samples, low, high, p_value):
        rate = compared(*changed(gained, lost, samples)).pass_rate
        assert (rate.low, rate.high) == pytest.approx((low, high), abs=5e-4)
        if gained == 1:
            assert rate.p_value == pytest.approx(p_value)

    @hypothesis_settings(max_examples=20, deadline=None)
    @given(SAMPLES)
    def test_as_json_and_back(self, samples):
        first, second = map(report, two_reports(samples))
        try:
            found = compared(first, second)
        except UserError:
            return
        assert Comparison.model_validate_json(found.model_dump_json()) == found


class TestExtremes:
    @pytest.mark.parametrize("state", ["p", "f"])
    @pytest.mark.parametrize("count", [1, 200])
    def test_nothing_differs(self, state, count):
        rate = compared(report(state * count), report(state * count)).pass_rate
        assert (rate.difference, rate.p_value) == (0, 1)
        assert rate.low == pytest.approx(-rate.high)
        # z^2 / (n + z^2): a width even where nothing was seen to differ.
        assert rate.high == pytest.approx(3.8415 / (count + 3.8415), abs=1e-4)

    @pytest.mark.parametrize("count", [1, 200])
    def test_everything_is_lost(self, count):
        rate = compared(report("p" * count), report("f" * count)).pass_rate
        assert (rate.difference, rate.low, rate.lost) == (-1, -1, count)
        assert rate.high == pytest.approx(compared(report("f" * count), report("p" * count)).pass_rate.low * -1)
        assert rate.p_value == pytest.approx(2 * 0.5**count - 0.5**count)

    def test_more_confidence_is_a_wider_interval(self):
        widths = []
        for confidence in (0.8, 0.9, 0.95, 0.99):
            rate = compared(*changed(19, 31, 500), confidence=confidence).pass_rate
            widths.append(rate.high - rate.low)
        assert all(narrow < wide for narrow, wide in pairwise(widths))

    def test_unscored_samples_are_counted_and_left_out(self):
        found = compared(report("pppuuf"), report("pfupuf"))
        assert (found.matched, found.unscored) == (6, 3)
        assert (found.pass_rate.samples, found.pass_rate.lost, found.accuracy.samples) == (3, 1, 6)

    def test_two_reports_of_7532_samples_in_under_2_seconds(self, tmp_path):
        generator = np.random.default_rng(1)
        categories = [f"category.{number}" for number in range(20)]
        for name in ("a", "b"):
            rows = [
                row(number, "pf"[int(failed)], categories[number % 20]).model_copy(update={"text": "x" * 1000})
                for number, failed in enumerate(generator.random(7532) < 0.18)
            ]
            (tmp_path / name).write_text(report(rows).to_json())
        start = time.process_time()
        found = compared(read_report(tmp_path / "a"), read_report(tmp_path / "b"))
        assert time.process_time() - start < 2
        assert (found.matched, len(found.categories)) == (7532, 20)


def judged_by(*identities, spec="endpoint:llama3@http://one:8000/v1"):
    return {
        "members": [
            JudgeMember(spec=spec, model=identity.get("model", "m"), is_llm=True, identity=identity)
            for identity in identities
        ]
    }


LLAMA = {"kind": "endpoint", "model": "llama3", "temperature": 0.0, "stop": ["a", {"b": 1}]}


class TestRefusals:
    @pytest.mark.parametrize(
        ("first", "second", "reason"),
        [
            (
                {"judge": {"threshold": 0.8}},
                {"judge": {"threshold": 0.5}},
                "thresholds differ, so passing means two things: 0.8 and 0.5",
            ),
            (
                {"judge": {"score_mode": "raw"}},
                {"judge": {"score_mode": "weighted"}},
                "score modes differ, so one threshold means two things: raw and weighted",
            ),
            (
                {"judge": {"metric_fingerprint": "c0ffee12" * 8}},
                {"judge": {"metric_fingerprint": "decaf123" * 8}},
                "metrics differ: CategoryPrecision asks judges in other words (c0ffee12 and decaf123)",
            ),
            (
                {"judge": {"metric": "One"}},
                {"judge": {"metric": "Other"}},
                "metrics differ: One and Other",
            ),
            (
                {"judge": judged_by(LLAMA)},
                {"judge": judged_by({"kind": "rubric"}, spec="rubric")},
                "judges differ, and each draws its own line: endpoint:llama3 and rubric",
            ),
            (
                {"judge": judged_by(LLAMA)},
                {"judge": judged_by({**LLAMA, "temperature": 0.7})},
                "judges differ, and each draws its own line: endpoint:llama3 with temperature 0.0 and 0.7",
            ),
            (
                {"judge": judged_by(LLAMA)},
                {"judge": judged_by(LLAMA, {**LLAMA, "model": "b"}, {**LLAMA, "model": "c"})},
                "judges differ, and each draws its own line: endpoint:llama3 and "
                "endpoint:llama3, endpoint:llama3, endpoint:llama3",
            ),
            (
                {"data": {"name": "20newsgroups", "remove": ["headers", "quotes"], "total": 7531, "digest": "1" * 64}},
                {"data": {"name": "20newsgroups", "total": 7532, "digest": "2" * 64}},
                "test texts differ: 20newsgroups without headers, quotes (7,531 texts, digest 11111111) and "
                "20newsgroups (7,532 texts, digest 22222222)",
            ),
        ],
    )
    def test_what_makes_a_comparison_meaningless(self, first, second, reason):
        assert refusal(report("ppp", **first), report("ppf", **second)) == [reason]
        assert len(refusal(report("ppp", **second), report("ppf", **first))) == 1

    def test_all_reasons_at_once(self):
        new = report(
            [row(7)],
            judge={"threshold": 0.5, "score_mode": "weighted", "metric": "x\x1b[2J", **judged_by(LLAMA)},
            data={"digest": "9" * 64},
            complete=False,
            gate=not_evaluated("1 of 3 drawn samples were selected", GatePolicy()),
        )
        reasons = refusal(report("ppp"), new)
        assert [reason.split()[0] for reason in reasons] == [
            *("the", "judges", "metrics", "score", "thresholds", "test", "no"),
        ]
        assert reasons[0] == ("the new report is not complete: Gate not evaluated: 1 of 3 drawn samples were selected.")
        assert reasons[-1].startswith("no sample is in both: 3 in the baseline, 1 in the new report; ")

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            (judged_by(LLAMA), judged_by(LLAMA, spec="endpoint:llama3@https://other/v1")),
            (judged_by(LLAMA), judged_by(dict(reversed(LLAMA.items())))),
            (judged_by({**LLAMA, "model": "b"}, LLAMA), judged_by(LLAMA, {**LLAMA, "model": "b"})),
            ({"confirm_failures": 0}, {"confirm_failures": 3}),
            ({"distinct_pairs": 1}, {"distinct_pairs": 2}),
        ],
    )
    def test_what_may_differ(self, first, second):
        here, there = {"name": "/a/data.csv", "drawn": 3}, {"name": "/b/data.csv", "drawn": 300}
        found = compared(report("ppp", judge=first, data=here), report("ppf", judge=second, data=there))
        assert found.pass_rate.lost == 1

    def test_an_incomplete_report(self):
        outcome = WHOLE.gate.model_copy(update={"outcome": "incomplete"})
        incomplete = report("pu", gate=outcome)
        assert refusal(incomplete, report("pp")) == ["the baseline is incomplete: 0 of 1 samples have no verdict"]
        assert refusal(report("pp"), incomplete) == ["the new report is incomplete: 0 of 1 samples have no verdict"]

    def test_a_gate_in_the_making_is_no_reason(self):
        """The gate is made from the comparison, so the report has none yet, or that of another policy."""
        for outcome in ("not evaluated", "incomplete"):
            unfinished = report("pu", gate=WHOLE.gate.model_copy(update={"outcome": outcome}))
            assert compared(report("pp"), unfinished, for_gate=True).pass_rate.samples == 1
            assert refusal(unfinished, report("pp"), for_gate=True)
        assert refusal(report("pp"), report("pp", complete=False), for_gate=True)

    def test_nothing_to_pair(self):
        assert refusal(report("ppp"), report("uuu")) == ["none of the 3 samples in both has a verdict in both"]
        assert "no sample is in both: 0 in the baseline" in refusal(report(""), report("p"))[0]

    def test_damaged_ids(self):
        assert refusal(report([row(1), row(1)]), report([row(1)])) == [
            "1 ids stand twice in the baseline, e.g. sample-1"
        ]
        other = row(1).model_copy(update={"digest": "another text"})
        assert refusal(report([row(1)]), report([other])) == [
            "1 samples of the same id have another text or label, e.g. sample-1"
        ]


class TestNotes:
    MODEL = WHOLE.model.model_copy(update={"digest": "1" * 64})

    def notes(self, first, second, model=MODEL, **given):
        return compared(first, report(second, model=model, **given)).notes

    def test_nothing_to_say(self):
        assert self.notes(report("ppf"), "pfp") == []

    def test_changes_that_the_judge_made(self):
        first = report([row(1), row(2), row(3, "f", predicted="x"), row(4)])
        second = [row(1), row(2, "f", predicted="sci.space"), row(3, "p", predicted="x"), row(4, "f")]
        assert self.notes(first, second)[0].startswith("2 of 3 changes are the judge's, not the model's: ")

    def test_other_repeats(self):
        once, often = ({**judged_by(LLAMA), "repeats": repeats} for repeats in (1, 3))
        (note,) = self.notes(report("pp", judge=once), "pp", judge=often)
        assert "asked once about each pair for the baseline and 3 times for the new report" in note
        assert self.notes(report("pp", judge={"repeats": 1}), "pp", judge={"repeats": 3}) == [], "rules do not waver"

    def test_the_same_model(self):
        (note,) = self.notes(report("pp"), "pp", model=WHOLE.model)
        assert note.startswith("both reports are about the same model")

    def test_copies(self):
        copies = [row(1), row(2).model_copy(update={"digest": "text 1"})]
        (note,) = self.notes(report(copies), copies)
        assert note == "1 of 2 samples are copies of others, so the intervals are too narrow"


class TestNoWorse:
    @given(
        st.integers(1, 2000).flatmap(
            lambda n: st.integers(0, n).flatmap(lambda d: st.tuples(st.integers(0, d), st.just(d), st.just(n)))
        ),
        st.floats(0.001, 0.5),
        st.sampled_from([0.8, 0.9, 0.95]),
    )
    @hypothesis_settings(deadline=None, max_examples=50)
    def test_the_outcome_is_where_the_bounds_lie(self, counts, margin, confidence):
        gained, differing, samples = counts
        found = no_worse(gained, differing - gained, samples, margin=margin, confidence=confidence)
        expected = "pass" if found.low > -margin else "fail" if found.high < -margin else "inconclusive"
        assert found.outcome == expected
        assert found.low <= found.difference == (2 * gained - differing) / samples <= found.high
        assert bool(found.way_out) == (found.outcome == "inconclusive")

    @pytest.mark.parametrize(
        ("gained", "lost", "outcome"), [(19, 31, "inconclusive"), (31, 19, "pass"), (0, 40, "fail"), (0, 0, "pass")]
    )
    def test_examples(self, gained, lost, outcome):
        assert no_worse(gained, lost, 500, margin=0.02, confidence=0.95).outcome == outcome

    @pytest.mark.parametrize(
        ("counts", "margin"), [((19, 31, 500), 0.04), ((19, 31, 500), 0.01), ((0, 5, 100), 0.03), ((10, 12, 60), 0.1)]
    )
    def test_the_number_needed_gives_80_percent_power(self, counts, margin):
        gained, lost, samples = counts
        found = no_worse(*counts, margin=margin, confidence=0.95)
        needed = int(re.search(r"about ([\d,]+) samples", found.way_out)[1].replace(",", ""))
        shares = [gained / samples, lost / samples, 1 - (gained + lost) / samples]
        draws = np.random.default_rng(0).multinomial(needed, shares, size=10_000)
        distance = score_distance(draws[:, 0], draws[:, 1], needed, -margin)
        decided = distance > 1.6449 if found.difference > -margin else distance < -1.6449
        assert 0.77 < decided.mean() < 0.85

    def test_a_difference_that_equals_the_margin(self):
        found = no_worse(10, 20, 500, margin=0.02, confidence=0.95)
        assert found.way_out == "so close to the margin, no practicable number of samples decides it"

    @pytest.mark.parametrize("counts", [(0, 1, 1), (1, 0, 1), (0, 0, 1), (0, 3, 3)])
    def test_hardly_any_samples(self, counts):
        found = no_worse(*counts, margin=0.02, confidence=0.95)
        assert found.outcome in ("inconclusive", "fail")
        if found.way_out:
            assert int(re.search(r"about ([\d,]+) samples", found.way_out)[1].replace(",", "")) > counts[2]
