"""What people said: a blind sheet, ratings taken back, and PandaLM's real annotators as an oracle."""

import csv
import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from evals.duel.people import most_say
from fixtures.judge_server import first
from tests.evals.calibration import write_jsonl
from tests.evals.duel.conftest import LONG, SHORT, planted


def read_sheet(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def rate(arena, name, choose):
    """A rater's copy of the sheet, filled in; ``choose`` gets a row."""
    rows = read_sheet(arena.folder / "sheet.csv")
    for row in rows:
        row |= {"rating": choose(row), "rater": name}
    path = arena.folder / f"{name}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def by_length(row):
    lengths = len(row["left"]), len(row["right"])
    return "tie" if lengths[0] == lengths[1] else "left" if lengths[0] > lengths[1] else "right"


@pytest.fixture
def held(arena):
    """A duel that B wins by 12 of 20 to 4 for whoever likes long answers; to the rubric judge all are alike."""
    arena.answers([*planted(12, 4, 2), ("same", "same "), ("same", "same")])
    return arena.hold()


def draw(arena, *options):
    return arena.run("label", "duel", arena.out, "--output", arena.folder / "sheet.csv", *options)


class TestSheet:
    def test_holds_no_trace_of_whose_an_answer_is(self, arena, held):
        assert draw(arena).code == 0
        rows = read_sheet(arena.folder / "sheet.csv")
        assert list(rows[0]) == ["id", "question", "reference", "left", "right", "rating", "rater"]
        assert len(rows) == 18
        text = (arena.folder / "sheet.csv").read_text(encoding="utf-8-sig")
        assert "a.jsonl" not in text
        assert "b.jsonl" not in text

    def test_sides_are_drawn_for_each_row(self, arena, held):
        arena.answers([(f"{SHORT} {n}", f"{LONG} {n}") for n in range(200)])
        arena.hold()
        draw(arena)
        left = Counter(by_length(row) for row in read_sheet(arena.folder / "sheet.csv"))
        assert binomtest(left["left"], 200).pvalue > 1e-4

    def test_equal_seeds_give_equal_sheets_and_larger_ones_hold_smaller_ones(self, arena, held):
        sheets = []
        for options in (["--count", "6"], ["--count", "6"], ["--count", "12"]):
            assert draw(arena, *options).code == 0
            sheets.append({row["id"]: row["left"] for row in read_sheet(arena.folder / "sheet.csv")})
        assert sheets[0] == sheets[1]
        assert sheets[0].items() <= sheets[2].items()

    def test_another_seed_does_not_overwrite_the_sides_of_a_sheet(self, arena, held):
        draw(arena)
        before = (arena.out / "sides.json").read_bytes()
        refused = draw(arena, "--seed", "1")
        assert refused.code == 2
        assert "belongs to a sheet drawn with --seed 0" in refused.errors
        assert (arena.out / "sides.json").read_bytes() == before

    def test_more_rows_than_there_are(self, arena, held):
        refused = draw(arena, "--count", "21")
        assert (refused.code, "the duel has 20 with both answers" in refused.errors) == (2, True)

    def test_no_duel(self, arena):
        assert "cannot read" in draw(arena).errors


class TestRatings:
    def test_people_who_see_what_the_rule_does_not(self, arena, held):
        draw(arena)
        files = [rate(arena, name, by_length) for name in ("anna", "ben", "cleo")]
        again = arena.hold(*[option for file in files for option in ("--ratings", file)])
        people = again.duel["people"]
        standing = people["standing"]
        # Two rows with identical answers, and two with equally long ones.
        assert [standing[name] for name in ("b_wins", "a_wins", "ties", "rows")] == [12, 4, 4, 20]
        assert people["identical"] == 2
        assert [row["kappa"]["kappa"] for row in people["agreement"]] == pytest.approx([1, 1, 1])
        assert [rater["b"] for rater in people["raters"]] == [12, 12, 12]
        assert people["with_judge"]["samples"] == 18
        assert "people (anna, ben, cleo): " in again.output

    def test_a_sheet_rated_in_part_counts_identical_answers_in_proportion(self, arena):
        """All of them beside some rated rows would make the candidates look alike."""
        arena.answers([*planted(20, 0, 0), *[("same", "same")] * 20])
        arena.hold()
        draw(arena)
        rated = iter(range(20))
        file = rate(arena, "anna", lambda row: by_length(row) if next(rated) < 5 else "")
        people = arena.hold("--ratings", file, "--allow-missing").duel["people"]

        assert (people["standing"]["b_wins"], people["identical"], people["standing"]["rows"]) == (5, 5, 10)
        assert (
            "5 of 20 pairs of the sheet are rated; in proportion, 5 of 20 pairs of identical answers count"
            in (people["notes"])
        )

    def test_people_decide_the_gate_when_asked(self, arena, held):
        draw(arena)
        ratings = ["--ratings", rate(arena, "anna", by_length), "--margin", "0.05"]
        by_judge = arena.hold(*ratings)
        by_people = arena.hold(*ratings, "--decide-by", "people")
        assert (by_judge.code, by_people.code) == (4, 0)
        assert by_people.duel["gate"]["decided_by"] == "people"
        assert "By people, B is preferred: of 20 rows B wins 12" in by_people.output.replace("\n", " ")

    def test_the_bias_of_a_judge_is_no_concern_of_people(self, arena, served):
        arena.answers(planted(12, 4, 4))
        _, judge = served(score=first)
        arena.hold(judge=judge)
        draw(arena)
        ratings = ["--ratings", rate(arena, "anna", by_length), "--margin", "0.05"]
        assert arena.hold(*ratings, "--decide-by", "people", judge=judge).code == 0

    def test_worse_for_people(self, arena, held):
        draw(arena)
        swapped = {"left": "right", "right": "left", "tie": "tie"}
        file = rate(arena, "anna", lambda row: swapped[by_length(row)])
        assert arena.hold("--ratings", file, "--margin", "0.01", "--decide-by", "people").code == 3

    def test_what_each_rater_said_stands_beside_the_row(self, arena, held):
        draw(arena)
        files = [rate(arena, "anna", by_length), rate(arena, "ben", lambda row: "tie")]
        duel = arena.hold("--ratings", files[0], "--ratings", files[1]).duel
        assert duel["rows"][0]["people"] == {"anna": "B", "ben": "tie"}
        assert duel["rows"][-1]["people"] == {}

    def test_one_column_per_rater(self, arena, held):
        draw(arena)
        rows = read_sheet(arena.folder / "sheet.csv")
        path = arena.folder / "wide.csv"
        lines = [f"{row['id']},{by_length(row)},{by_length(row)}" for row in rows]
        path.write_text("\n".join(["id,anna,ben", *lines]))
        standing = arena.hold("--ratings", path).duel["people"]["standing"]
        assert (standing["b_wins"], standing["a_wins"]) == (12, 4)

    @pytest.mark.parametrize(
        ("word", "said"),
        [
            ("A", "'A' is no rating: it must be one of left, right, tie"),
            ("", "is missing"),
        ],
    )
    def test_faults_by_line(self, arena, held, word, said):
        draw(arena)
        number = iter(range(100))
        file = rate(arena, "anna", lambda row: word if next(number) == 3 else "left")
        refused = arena.hold("--ratings", file)
        assert refused.code == 2
        assert said in refused.errors
        assert "line 5: " in refused.errors
        if not word:
            assert arena.hold("--ratings", file, "--allow-missing").code == 0

    def test_ratings_of_other_answers(self, arena, held):
        draw(arena)
        file = rate(arena, "anna", by_length)
        arena.answers(planted(10, 8, 2))
        refused = arena.hold("--ratings", file)
        assert (refused.code, "belongs to a sheet with other answers" in refused.errors) == (2, True)

    def test_left_and_right_without_sides(self, arena, held):
        draw(arena)
        file = rate(arena, "anna", by_length)
        (arena.out / "sides.json").unlink()
        refused = arena.hold("--ratings", file)
        assert (refused.code, "need the sides.json" in refused.errors) == (2, True)

    def test_rows_that_are_not_drawn(self, arena, held):
        draw(arena)
        refused = arena.hold("--ratings", rate(arena, "anna", by_length), "--num-samples", "5")
        assert (refused.code, "rows that are not drawn here" in refused.errors) == (2, True)


@given(st.lists(st.sampled_from(["A", "B", "tie"]), min_size=1, max_size=7))
def test_what_most_say(votes):
    said = most_say(votes)
    count = Counter(votes)
    alone = [choice for choice, times in count.items() if times == max(count.values())]
    assert said == (alone[0] if len(alone) == 1 else "tie")


CHOICES = {0: "tie", 1: "A", 2: "B"}


def test_published_figures_of_pandalm(arena, shared_data):
    """999 pairs of real answers, with three annotators each: what they said was published."""
    expected = json.loads((shared_data / "oracles.json").read_text(encoding="utf-8"))["pandalm"]
    file = shared_data / "judge-calibration" / "pandalm_human_vs_judge.jsonl"
    pairs = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    questions = [f"{pair['idx']}: {pair['instruction']}\n{pair['input']}" for pair in pairs]
    rows = arena.answers([(str(pair["response1"]), str(pair["response2"])) for pair in pairs], questions=questions)
    ratings = write_jsonl(
        arena.folder / "ratings.jsonl",
        [
            {"id": row.id} | {f"annotator {n}": CHOICES[vote] for n, vote in enumerate(pair["annotators"], 1)}
            for row, pair in zip(rows, pairs, strict=True)
        ],
    )
    held = arena.hold("--ratings", ratings)
    assert held.code == 0
    people = held.duel["people"]
    standing = people["standing"]
    assert standing["rows"] == expected["n"]
    kappas = [round(row["kappa"]["kappa"], 3) for row in people["agreement"]]
    assert kappas == [expected["kappa"][pair] for pair in ("1-2", "1-3", "2-3")]
    labels = {"0": standing["ties"], "1": standing["a_wins"], "2": standing["b_wins"]}
    assert labels == expected["labels"]
    assert standing["net"] == pytest.approx((472 - 422) / 999)
    assert standing["p_exact"] == pytest.approx(binomtest(472, 472 + 422).pvalue)
