"""What comes out of a duel whose truth is known, and what it exits with."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import evals.duel.model
from evals.candidates import CandidateSettings
from evals.duel.model import Duel
from evals.duel.orders import outcome_of, place_of
from evals.statistics import paired_difference
from fixtures.judge_server import Answer, first, second
from tests.evals.duel.conftest import ALSO_SHORT, LONG, ROOT, SHORT, planted

SCHEMA = Path(evals.duel.model.__file__).parent / "duel.schema.json"


class TestSwap:
    @given(st.sampled_from(range(11)), st.sampled_from(range(11)))
    def test_a_win_survives_the_swap(self, a_first, b_first):
        """``a_first``: the score with A's answer in the first place."""
        outcome, how = outcome_of(place_of(a_first / 10), place_of(b_first / 10))
        assert (outcome == "A") == (a_first > 5 > b_first)
        assert (outcome == "B") == (a_first < 5 < b_first)
        assert outcome != "unscored"
        assert (how == "first place") == (a_first > 5 and b_first > 5)
        assert (how == "second place") == (a_first < 5 and b_first < 5)

    @given(st.floats(0, 1), st.floats(0, 1))
    def test_names_do_not_matter(self, one, other):
        """Whoever is called A: exchanging the candidates exchanges the wins, and nothing else."""
        outcome, how = outcome_of(place_of(one), place_of(other))
        exchanged, same = outcome_of(place_of(other), place_of(one))
        assert exchanged == {"A": "B", "B": "A", "tie": "tie"}[outcome]
        assert same == how

    @given(st.floats(0, 1))
    def test_a_judge_that_sees_places_only_gives_nobody_a_win(self, score):
        assert outcome_of(place_of(score), place_of(score))[0] == "tie"


class TestKnownJudges:
    def test_an_honest_judge_recovers_what_was_planted(self, arena, served):
        arena.answers(planted(22, 9, 14))
        server, judge = served()
        held = arena.hold(judge=judge)
        assert held.code == 0
        standing, places = held.duel["standing"], held.duel["places"]
        assert [standing[name] for name in ("b_wins", "a_wins", "ties", "rows")] == [22, 9, 14, 45]
        low, high = paired_difference(22, 9, 45, confidence=0.95)
        assert [standing[name] for name in ("net", "net_low", "net_high")] == pytest.approx([13 / 45, low, high])
        assert standing["win_rate"] == pytest.approx((22 + 7) / 45)
        assert (places["bias"], places["consistency"], places["rows"]) == (0, 1, 45)
        assert held.outcomes == ["B"] * 22 + ["A"] * 9 + ["tie"] * 14
        # Two orders of each row, and the preflight.
        assert server.answered == 2 * 45 + 1
        sentence = "B is preferred: of 45 rows B wins 22, A wins 9, 14 are ties; net preference for B +28.9 points"
        assert held.output.replace("\n", " ").count(sentence) == 1

    @pytest.mark.parametrize(("score", "place"), [(first, "first"), (second, "second")])
    def test_a_judge_of_places_gives_no_wins_and_full_bias(self, arena, served, score, place):
        arena.answers(planted(20, 5, 5))
        _, judge = served(score=score)
        held = arena.hold("--margin", "0.5", judge=judge)
        places = held.duel["places"]
        assert held.outcomes == ["tie"] * 30
        assert {row["how"] for row in held.duel["rows"]} == {f"{place} place"}
        assert (places["bias"], places["consistency"], places[f"{place}_twice"]) == (1, 0, 30)
        assert places["p_value"] < 1e-8
        assert f"the judge prefers the {place} place" in held.output
        assert "this judge hardly tells these answers apart" in held.output.replace("\n", " ")
        # Thirty ties would be a pass: of such a judge, they show nothing.
        assert (held.code, held.duel["gate"]["outcome"]) == (4, "inconclusive")
        assert "the verdict followed the place in 100% of the rows, and more than 50%" in held.duel["sentence"]
        trusting = arena.hold("--margin", "0.5", "--max-position-bias", "1", judge=judge)
        assert trusting.code == 0

    def test_a_judge_that_is_biased_in_part(self, arena, served):
        """It goes by the place where answers are alike, and by length elsewhere."""

        def score(pair):
            longer = (len(pair.actual) > len(pair.expected)) - (len(pair.actual) < len(pair.expected))
            return 5 + 5 * longer if longer else 8

        arena.answers(planted(10, 4, 6))
        _, judge = served(score=score)
        duel = arena.hold(judge=judge).duel
        assert [duel["tally"][name] for name in ("b_wins", "a_wins", "ties")] == [10, 4, 6]
        assert duel["places"]["bias"] == pytest.approx(0.3)
        assert [row["how"] for row in duel["rows"]] == ["both orders"] * 14 + ["first place"] * 6

    def test_a_preference_in_one_order_only_is_no_win(self, arena, served):
        def score(pair):
            return 7 if pair.actual == LONG else 5

        arena.answers(planted(3, 0, 0))
        _, judge = served(score=score)
        duel = arena.hold(judge=judge).duel
        assert {(row["outcome"], row["how"]) for row in duel["rows"]} == {("tie", "one order only")}
        assert (duel["places"]["bias"], duel["places"]["consistency"]) == (0, 0)

    def test_exchanging_the_candidates_mirrors_the_duel(self, arena, served):
        arena.answers(planted(7, 3, 2))
        server, judge = served()
        one = arena.hold(judge=judge).duel
        asked = server.answered
        other = arena.hold(judge=judge, a=arena.folder / "b.jsonl", b=arena.folder / "a.jsonl").duel
        # The same two orders of the same answers: everything is in the store.
        assert server.answered == asked
        assert one["standing"]["net"] == -other["standing"]["net"]
        assert one["standing"]["net_low"] == pytest.approx(-other["standing"]["net_high"])
        assert one["places"] == other["places"]

    def test_the_judge_never_sees_whose_the_answers_are(self, arena, served):
        arena.answers(planted(2, 1, 1))
        server, judge = served()
        arena.hold(judge=judge)
        asked = json.dumps([call.body for call in server.calls])
        for name in ("a.jsonl", "b.jsonl", "candidate", str(arena.folder)):
            assert name not in asked

    def test_repeats_are_asked_in_each_order_and_their_median_counts(self, arena, served):
        arena.answers(planted(2, 1, 1))
        server, judge = served()
        duel = arena.hold("--repeats", "3", judge=judge).duel
        assert server.answered == 1 + 2 * 3 * 4
        assert [row["outcome"] for row in duel["rows"]] == ["B", "B", "A", "tie"]
        assert duel["rows"][0]["orders"][0]["scores"] == [0.0, 0.0, 0.0]


class TestRows:
    def test_identical_answers_are_ties_that_nobody_is_asked_about(self, arena, served):
        arena.answers([("same", "same "), ("same", "same"), (SHORT, LONG)])
        server, judge = served()
        duel = arena.hold(judge=judge).duel
        assert server.answered == 2 + 1
        assert [(row["outcome"], row["how"]) for row in duel["rows"][:2]] == [("tie", "identical")] * 2
        assert (duel["tally"]["ties"], duel["tally"]["identical"], duel["places"]["rows"]) == (2, 2, 1)

    def test_without_any_difference_no_judge_is_needed(self, arena):
        arena.answers([("same", "same ")] * 3)
        held = arena.hold(judge="endpoint:judge@http://127.0.0.1:1/v1")
        assert (held.code, held.outcomes) == (0, ["tie"] * 3)
        assert held.duel["places"] is None

    def test_each_category_has_its_figures(self, arena, served):
        pairs = planted(9, 0, 0) + planted(1, 3, 2)
        arena.answers(pairs, categories=["refunds"] * 9 + ["shipping"] * 6)
        _, judge = served()
        refunds, shipping = arena.hold(judge=judge).duel["categories"]
        assert (refunds["category"], refunds["standing"]["net"]) == ("refunds", 1.0)
        assert (shipping["tally"]["a_wins"], shipping["standing"]["net"]) == (3, pytest.approx(-2 / 6))
        # Nine of nine: mid-p is 2 ** -9, and of two categories Holm doubles the smaller.
        assert refunds["p_adjusted"] == pytest.approx(2 * 2**-9)

    def test_a_copy_of_a_row_counts_once(self, arena, served):
        arena.answers(planted(4, 1, 1))
        with arena.data.open("a", encoding="utf-8") as file:
            file.write(arena.data.read_text(encoding="utf-8").splitlines(keepends=True)[0])
        _, judge = served()
        held = arena.hold(judge=judge)
        assert held.duel["data"] | {"name": "", "digest": ""} == {
            "name": "", "digest": "", "rows": 7, "copies": 1, "drawn": 6, "seed": 0,
        }  # fmt: skip
        assert "1 rows of eval.jsonl are copies" in held.output

    def test_a_draw_is_seeded(self, arena):
        arena.answers([(f"a{n}", f"b{n}") for n in range(40)])
        ids = {}
        for seed in ("1", "1", "2"):
            held = arena.hold("--num-samples", "10", "--seed", seed)
            ids.setdefault(seed, []).append([row["id"] for row in held.duel["rows"]])
        assert len(ids["1"][0]) == 10
        assert ids["1"][0] == ids["1"][1] != ids["2"][0]

    def test_the_reference_is_shown_unless_told_otherwise(self, arena, served):
        arena.answers(planted(1, 0, 0), references=["Lisbon it is"])
        server, judge = served()
        arena.hold(judge=judge)
        shown = [str(call.body) for call in server.calls if "Lisbon" in str(call.body)]
        assert len(shown) == 2
        before = server.answered
        arena.hold("--no-reference", judge=judge)
        # Another question: nothing of it is in the store.
        assert server.answered == before + 3
        assert not any("Lisbon" in str(call.body) for call in server.calls[-3:])


class TestCandidates:
    def test_a_served_model_against_recorded_answers(self, arena, served):
        """The way off a hosted model: its answers were recorded, the new one answers now, and once only."""
        arena.answers([(SHORT, "never used")] * 4)
        model, _ = served(Answer(LONG))
        _, judge = served()
        candidate = f"endpoint:model@{model.url}/v1"
        held = arena.hold(judge=judge, b=candidate)
        assert (held.code, held.outcomes) == (0, ["B"] * 4)
        assert [held.duel[name]["kind"] for name in ("a", "b")] == ["answers", "endpoint"]
        answered = model.answered
        assert arena.hold(judge=judge, b=candidate).outcomes == ["B"] * 4
        assert model.answered == answered

    def test_a_dry_run_asks_no_candidate(self, arena, served):
        arena.answers([(SHORT, LONG)] * 4)
        model, judge = served(Answer(LONG))
        held = arena.hold("--dry-run", judge=judge, b=f"endpoint:model@{model.url}/v1")
        assert (held.code, len(model.calls)) == (0, 0)
        assert "up to 8 calls of the judge" in held.output


class TestGate:
    @pytest.mark.parametrize(
        ("counts", "outcome", "code"),
        [
            ((30, 2, 8), "pass", 0),
            ((2, 30, 8), "fail", 3),
            ((10, 10, 20), "inconclusive", 4),
        ],
    )
    def test_exit_codes(self, arena, served, counts, outcome, code):
        arena.answers(planted(*counts))
        _, judge = served()
        held = arena.hold("--margin", "0.1", judge=judge)
        gate = held.duel["gate"]
        assert (held.code, gate["outcome"]) == (code, outcome)
        low, high = paired_difference(counts[0], counts[1], sum(counts), confidence=0.9)
        assert (gate["low"], gate["high"]) == pytest.approx((low, high))
        assert held.output.replace("\n", " ").count(f"{outcome.capitalize()}: ") == 1
        assert ("about" in gate["way_out"] and "rows" in gate["way_out"]) == (outcome == "inconclusive")
        # Without a margin nothing is asked, whoever wins.
        assert arena.hold(judge=judge).code == 0

    def test_losses_in_both_orders_count_whatever_the_bias(self, arena, served):
        def score(pair):
            return 10 if pair.actual == LONG or pair.expected != LONG else 0

        arena.answers(planted(0, 30, 40))
        _, judge = served(score=score)
        held = arena.hold("--margin", "0.1", judge=judge)
        assert held.duel["places"]["bias"] == pytest.approx(40 / 70)
        assert (held.code, held.duel["gate"]["outcome"]) == (3, "fail")


class TestFiles:
    def test_duel_json_is_as_its_schema_says(self, arena, served):
        schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
        assert schema == Duel.model_json_schema(mode="serialization"), "run: python -m evals.duel.model"
        arena.answers([*planted(2, 1, 1), ("same", "same")])
        _, judge = served()
        Draft202012Validator(schema).validate(arena.hold(judge=judge).duel)

    def test_what_differs_from_run_to_run_stands_under_run_only(self, arena, served):
        arena.answers(planted(2, 1, 1))
        _, judge = served()
        one, other = ({**arena.hold(judge=judge).duel, "run": None} for _ in range(2))
        assert one == other

    def test_markdown_speaks_in_figures_only(self, arena, served):
        arena.answers([(SHORT, "<img src=x> [click](http://x) | a longer answer"), (SHORT, ALSO_SHORT)])
        _, judge = served()
        arena.hold(judge=judge)
        text = (arena.out / "duel.md").read_text(encoding="utf-8")
        assert "| B wins, A wins, ties | 1, 0, 1 |" in text
        assert "<img" not in text
        assert "click" not in text

    def test_rubric_is_called_a_rule(self, arena):
        arena.answers([("reference", "something else"), ("nothing", "the reference 1")])
        held = arena.hold()
        assert held.outcomes == ["A", "B"]
        assert "a rule and no LLM" in held.output
        assert held.duel["judge"]["members"][0]["is_llm"] is False


def test_every_option_of_a_candidate_is_one_of_a_duel(arena, tmp_path):
    """Which `pytest evals` takes with ``--chat`` alone."""
    arena.answers([("reference 0", "something else")], references=["reference 0"])
    key = tmp_path / "key"
    key.write_text("k")
    values = {
        "device": "cpu", "precision": "fp32", "max_new_tokens": 8, "temperature": 0.5, "candidate_seed": 1,
        "candidate_key_file": key, "candidate_revision": "r", "candidate_concurrency": 2, "candidate_timeout": 9,
        "candidate_retries": 1, "allow_unmanifested": None,
    }  # fmt: skip
    assert values.keys() == CandidateSettings.model_fields.keys() - {"save_to"}
    options = [f"--{name.replace('_', '-')}" for name in values]
    given = [part for pair in zip(options, values.values(), strict=True) for part in pair if part is not None]
    assert arena.hold(*map(str, given)).outcomes == ["A"]


def test_the_shipped_example_says_what_the_documentation_says(arena):
    """A newcomer's first duel: no server, no key, no download."""
    folder = ROOT / "fixtures" / "duel"
    arena.data = folder / "eval.jsonl"
    held = arena.hold("--margin", "0.1", a=folder / "base.jsonl", b=folder / "tuned.jsonl")
    assert held.code == 0
    said = " ".join(held.output.split())
    page = " ".join((ROOT / "docs" / "duel.md").read_text(encoding="utf-8").split())
    for sentence in (
        "B is preferred: of 18 rows B wins 13, A wins 3, 2 are ties; net preference for B +55.6 points, "
        "between +12.6 and +80.4 points with 95% confidence.",
        "Pass: B is not worse than A by more than 10 points: with 95% confidence its net preference is at least "
        "+20.1 points.",
    ):
        assert sentence in said
        assert sentence in page
