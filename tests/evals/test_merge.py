"""``python -m evals merge``: shards make the report of a whole run, or are refused with every reason at once."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.__main__ import main
from evals.evaluation import evaluate, prepare
from evals.mergeable import read_shards
from evals.merging import merge
from evals.reports import FILES, Report, write_reports
from evals.reports.build import build_report
from evals.reports.references import References
from evals.settings import Settings
from evals.sharding import Shard
from evals.verdicts import VerdictStore
from fixtures.datasets import load_dataset
from tests.evals.conftest import pairs

ROWS = [
    *pairs(20, 2),
    *[("sci.med", "sci.space")] * 3,
    *[("sci.med", "sci.med")] * 5,
    ("sci.space", "no such category"),
]
"""Passing, failing and related answers, each of several samples."""


class Quiet:
    def say(self, line):
        pass

    def predicting(self, total):
        return lambda steps: None

    def stage(self, title, total):
        return lambda judged: None


class Draw:
    """A data set with predictions, and evaluations of it without a pytest session around them."""

    def __init__(self, folder, rows=ROWS):
        self.folder = folder
        self.data, self.predictions = folder / "data.jsonl", folder / "predictions.jsonl"
        texts = (json.dumps({"text": f"document {n}", "label": label}) + "\n" for n, (label, _) in enumerate(rows))
        self.data.write_text("".join(texts))
        self.ids = [document.id for document in load_dataset(str(self.data), splits=["test"]).splits["test"]]
        answers = zip(self.ids, (predicted for _, predicted in rows), strict=True)
        self.predictions.write_text("".join(json.dumps({"id": i, "predicted": p}) + "\n" for i, p in answers))

    def measure(self, *, incomplete=None, **given):
        given = {"dataset": str(self.data), "predictions": self.predictions, "save_to": self.folder / "out"} | given
        chosen = Settings(num_samples=given.pop("num_samples", None), **given)
        chosen.save_to.mkdir(exist_ok=True)
        prepared = prepare(chosen, chosen.gate_policy())
        selected = {document.id for document in prepared.assigned}
        return build_report(evaluate(prepared, selected, Quiet()), incomplete=incomplete)

    def shards(self, count, **given):
        """Each shard's folder, with stores of their own."""
        return [self.shard(f"{index}/{count}", **given) for index in range(1, count + 1)]

    def shard(self, shard, name=None, **given):
        folder = self.folder / (name or shard.replace("/", "-of-"))
        folder.mkdir()
        write_reports(self.measure(shard=shard, verdict_store=folder / "store.sqlite", **given), folder)
        return folder


@pytest.fixture
def draw(tmp_path):
    return Draw(tmp_path)


@pytest.fixture
def merged(tmp_path, capsys):
    """Runs the command; exit code, output and the folder it wrote."""

    def run(*arguments):
        code = main(["merge", *map(str, arguments), "--save-to", str(tmp_path / "merged")])
        captured = capsys.readouterr()
        return code, captured.out + captured.err, tmp_path / "merged"

    return run


def report_in(folder):
    return Report.model_validate_json((folder / "report.json").read_bytes())


def same(merged, whole):
    """Everything but the run, and where it was written."""
    first, second = (report.model_dump(exclude={"run"}) for report in (merged, whole))
    for side in (first, second):
        side["settings"] = {k: v for k, v in side["settings"].items() if k not in ("save_to", "verdict_store")}
    return first == second


NAMES = st.one_of(
    st.sampled_from(["sci.space", "sci.med", "rec.autos"]),
    st.text(st.characters(exclude_categories=()), min_size=1, max_size=8).filter(str.strip),
)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.tuples(NAMES, NAMES), min_size=1, max_size=30),
    count=st.integers(1, 8),
    drawn=st.integers(1, 30),
    given_settings=st.fixed_dictionaries(
        {},
        optional={
            "repeats": st.just(3),
            "threshold": st.sampled_from([0.5, 1.0]),
            "min_macro_f1": st.just(0.7),
            "min_category_pass_rate": st.just({"*": 0.6}),
            "max_flip_rate": st.just(0.1),
            "probe_judge": st.just(True),
        },
    ).filter(lambda chosen: "max_flip_rate" not in chosen or "repeats" in chosen),
)
def test_shards_of_any_predictions_make_the_report_of_a_whole_run(rows, count, drawn, given_settings):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw = Draw(folder, [*rows, ("sci.space", "sci.med"), ("rec.autos", "rec.autos")])
        given_settings |= {"num_samples": drawn, "verdict_store": folder / "store.sqlite"}
        whole = draw.measure(**given_settings)
        files = []
        for index in range(1, count + 1):
            report = draw.measure(shard=f"{index}/{count}", **given_settings)
            files.append(folder / f"{index}.json")
            files[-1].write_text(report.to_json(), encoding="utf-8")
        shards = read_shards(files[::-1], decided=())
        found = merge(shards, Settings(**given_settings).gate_policy(), References(), {})
        assert found.model_dump(exclude={"run"}) == whole.model_dump(exclude={"run"})


def test_sessions_merge_to_the_report_of_a_whole_session(evals, merged):
    data = evals.data(ROWS)
    whole = report_in(evals.run(*data).folder)
    folders = []
    for index, workers in ((1, "0"), (2, "2")):
        folder = evals.folder / str(index)
        run = evals.run(*data, "-n", workers, "--shard", f"{index}/2", "--save-to", str(folder))
        assert run.exit_code == 0, run.output
        folders.append(folder)
    code, output, folder = merged(*folders)
    assert code == {"pass": 0, "fail": 3, "inconclusive": 4}[whole.gate.outcome]
    assert same(report_in(folder), whole)
    assert whole.gate.sentence in output
    assert {path.name for path in folder.iterdir()} == set(FILES)


class TestTheGate:
    """Of the shards, unless the merge is told otherwise."""

    @pytest.mark.parametrize(
        ("minimum", "code", "outcome"), [(0.5, 0, "pass"), (0.95, 3, "fail"), (0.8, 4, "inconclusive")]
    )
    def test_exit_codes(self, draw, merged, minimum, code, outcome):
        found, _, folder = merged(*draw.shards(2, min_pass_rate=minimum))
        assert (found, report_in(folder).gate.outcome) == (code, outcome)

    def test_an_option_changes_one_requirement(self, draw, merged):
        folders = draw.shards(2, min_pass_rate=0.95, max_unscored=7)
        code, _, folder = merged(*folders, "--min-pass-rate", "0.5")
        policy = report_in(folder).gate.policy
        assert (code, policy["min_pass_rate"], policy["max_unscored"]) == (0, 0.5, 7)
        assert report_in(folder).settings["min_pass_rate"] == 0.5

    def test_a_policy_file_replaces_it(self, draw, merged, tmp_path):
        (tmp_path / "policy.json").write_text('{"min_pass_rate": 0.5}')
        folders = [draw.shard("1/2", max_unscored=7), draw.shard("2/2")]
        code, _, folder = merged(*folders, "--policy", tmp_path / "policy.json")
        policy = report_in(folder).gate.policy
        assert (code, policy["min_pass_rate"], policy["max_unscored"]) == (0, 0.5, 0)

    def test_the_environment_of_the_merging_machine_has_no_say(self, draw, merged, monkeypatch):
        folders = draw.shards(2, min_pass_rate=0.5)
        monkeypatch.setenv("EVALS_MIN_PASS_RATE", "0.99")
        monkeypatch.setenv("EVALS_MIN_ACCURACY", "0.99")
        assert merged(*folders)[0] == 0

    def test_unscored_samples_make_it_incomplete(self, draw, merged, monkeypatch):
        monkeypatch.setenv("FAKE_JUDGE_FAILS_ON", "rec.autos")
        code, _, folder = merged(*draw.shards(2, judge="fixtures.judges:FailingJudge"))
        whole = draw.measure(judge="fixtures.judges:FailingJudge")
        assert (code, whole.gate.outcome) == (5, "incomplete")
        assert same(report_in(folder), whole)

    def test_a_baseline(self, draw, merged, tmp_path):
        baseline = tmp_path / "before"
        baseline.mkdir()
        write_reports(draw.measure(), baseline)
        chosen = {"baseline": str(baseline), "margin": 0.3, "min_pass_rate": 0.5}
        code, _, folder = merged(*draw.shards(2, **chosen))
        found = report_in(folder)
        assert code == 0
        assert found.baseline.matched == len(ROWS)
        assert same(found, draw.measure(**chosen))

    def test_a_calibration(self, draw, merged, tmp_path):
        (tmp_path / "whole").mkdir()
        write_reports(draw.measure(), tmp_path / "whole")
        saved = tmp_path / "calibration.json"
        assert main(["calibrate", str(tmp_path / "whole"), "--save", str(saved)]) == 0
        chosen = {"rate": "corrected", "calibration": saved}
        _, _, folder = merged(*draw.shards(2, **chosen))
        found = report_in(folder)
        assert found.gate.conditions[1].name == "corrected pass rate"
        assert same(found, draw.measure(**chosen))

    def test_a_baseline_that_is_elsewhere_now(self, draw, merged, tmp_path):
        baseline = tmp_path / "before"
        baseline.mkdir()
        write_reports(draw.measure(), baseline)
        folders = draw.shards(2, baseline=str(baseline))
        moved = baseline.rename(tmp_path / "moved")
        code, output, _ = merged(*folders)
        assert code == 2
        assert f"no baseline {baseline}" in output
        assert merged(*folders, "--baseline", moved)[0] != 2


class TestRefusals:
    """Exit 2, a line for each problem, and nothing written."""

    @pytest.fixture
    def refused(self, merged):
        def run(*arguments):
            code, output, folder = merged(*arguments)
            assert code == 2
            assert not folder.exists()
            first, *lines = output.splitlines()
            assert first == "error: these reports cannot be merged:"
            return [line.strip() for line in lines]

        return run

    def test_a_missing_shard(self, draw, refused):
        folders = draw.shards(4)
        assert refused(folders[0], folders[2]) == ["of 4 shards these are missing: 2, 4"]

    def test_the_same_shard_twice(self, draw, refused):
        one, two = draw.shards(2)
        assert refused(one, two, one / "report.json") == [f"shard 1/2 is given 2 times: {one}, {one}/report.json"]

    def test_shards_of_several_numbers(self, draw, refused):
        one, three = draw.shard("1/2"), draw.shard("3/3")
        assert refused(one, three) == [f"{one}: of 2 shards, others of 3", f"{three}: of 3 shards, others of 2"]

    def test_another_model(self, draw, refused):
        one = draw.shard("1/2")
        draw.predictions.write_text(draw.predictions.read_text().replace("no such category", "none"))
        (reason,) = refused(one, draw.shard("2/2"))
        assert reason.startswith(f"{one}, {draw.folder / '2-of-2'}: models differ: predictions ")

    @pytest.mark.parametrize(
        ("given", "reason"),
        [
            ({"judge": "fixtures.judges:ExactMatchJudge"}, "judges differ, and each draws its own line"),
            ({"threshold": 0.5}, "thresholds differ, so passing means two things: 0.8 and 0.5"),
            ({"repeats": 3}, "--repeats differs: 1 and 3"),
            ({"confirm_failures": 1}, "--confirm-failures differs: 0 and 1"),
            ({"probe_judge": True}, "--probe-judge differs: False and True"),
            ({"precision": "fp32"}, "--precision differs: auto and fp32"),
            ({"min_pass_rate": 0.7}, "gates differ in min_pass_rate: 0.8 and 0.7; --policy FILE sets one for all"),
        ],
    )
    def test_other_settings(self, draw, refused, given, reason):
        lines = refused(draw.shard("1/2"), draw.shard("2/2", **given))
        assert len(lines) == 1
        assert f": {reason}" in lines[0]

    def test_another_draw(self, draw, refused):
        (reason,) = refused(draw.shard("1/2", num_samples=20), draw.shard("2/2", num_samples=20, seed=1))
        assert ": draws differ: 20 samples with seed 0 (digest " in reason

    def test_other_texts(self, draw, refused, tmp_path):
        (tmp_path / "other").mkdir()
        other = Draw(tmp_path / "other", [*ROWS, ("sci.med", "sci.med")])
        other.predictions = draw.predictions
        one = draw.shard("1/2")
        with other.predictions.open("a") as file:
            file.write(json.dumps({"id": other.ids[-1], "predicted": "sci.med"}) + "\n")
        reasons = refused(one, other.shard("2/2"))
        assert any(": test texts differ: " in reason for reason in reasons)

    def test_a_report_of_a_whole_run(self, draw, refused, tmp_path):
        whole = tmp_path / "whole"
        whole.mkdir()
        write_reports(draw.measure(), whole)
        assert refused(draw.shard("1/2"), whole) == [f"{whole}: is about a whole draw, not about a shard of it"]

    def test_damaged_json(self, draw, refused):
        one, two = draw.shards(2)
        file = two / "report.json"
        file.write_bytes(file.read_bytes()[:-100])
        (reason,) = refused(one, two)
        assert reason.startswith(f"{file} is no report of this version: Invalid JSON")

    def test_a_half_written_folder(self, draw, refused):
        one, two = draw.shards(2)
        (two / "verdict.json").unlink()
        expected = f"{two}: is half-written: cannot read verdict.json: No such file or directory"
        assert refused(one, two) == [expected]

    def test_a_report_changed_afterwards(self, draw, refused):
        one, two = draw.shards(2)
        file = two / "report.json"
        file.write_text(file.read_text().replace('"state": "failed"', '"state": "passed"', 1))
        (reason,) = refused(one, two)
        assert reason == f"{two}: report.json is not the one that its verdict.json is about: the digests differ"

    def test_a_shard_that_was_stopped(self, draw, refused):
        stopped = draw.shard("1/2", incomplete="the run stopped after 3 of 16 samples")
        assert refused(stopped, draw.shard("2/2")) == [
            f"{stopped}: is not complete: Gate not evaluated: the run stopped after 3 of 16 samples."
        ]

    def test_everything_at_once(self, draw, refused, tmp_path):
        folders = [draw.shard("1/3"), draw.shard("2/3", threshold=0.5, seed=1, num_samples=9), tmp_path / "none"]
        reasons = refused(*folders)
        assert len(reasons) == 3
        assert reasons[0] == f"cannot read report {tmp_path}/none: No such file or directory"

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (lambda one, two: two["samples"].pop() and two["shard"]["places"].pop(), "the reports have 30 of the 31"),
            (lambda one, two: two["shard"]["places"].pop(), "is damaged: "),
            (
                lambda one, two: (two["samples"].append(one["samples"][0]), two["shard"]["places"].append(0)),
                "1 samples stand in more than one report",
            ),
            (lambda one, two: two["samples"].reverse(), "the samples are not those that were drawn"),
        ],
    )
    def test_what_the_digest_of_the_draw_proves(self, draw, refused, change, reason):
        """Whatever the shards' numbers say, as after a change by hand."""
        one, two = (folder / "report.json" for folder in draw.shards(2))
        first, second = (json.loads(file.read_text()) for file in (one, two))
        change(first, second)
        two.write_text(json.dumps(second))
        (found,) = refused(one, two)
        assert reason in found


def test_what_is_read_is_not_overwritten(draw, capsys):
    one, two = draw.shards(2)
    assert main(["merge", str(one), str(two), "--save-to", str(two)]) == 2
    assert "is the folder of" in capsys.readouterr().err
    assert (two / "report.json").exists()


def test_an_old_merge_does_not_outlive_a_refused_one(draw, merged):
    folders = draw.shards(2)
    _, _, folder = merged(*folders)
    assert (folder / "verdict.json").exists()
    assert merged(folders[0])[0] == 2
    assert not (folder / "verdict.json").exists()


class TestAJudgeThatContradictsItself:
    """One that gives 10 in the first shard and another score in the second, with votes to match."""

    def answers(self, monkeypatch, score):
        monkeypatch.setenv("FAKE_JUDGE_ANSWER", json.dumps({"reason": f"says {score}", "score": score}))

    def shards(self, draw, monkeypatch, scores, **given):
        for index, score in enumerate(scores, 1):
            self.answers(monkeypatch, score)
            yield draw.shard(f"{index}/{len(scores)}", judge="fixtures.judges:RawAnswerJudge", **given)

    def test_each_pair_is_counted_and_listed(self, draw, merged, monkeypatch):
        rows = dict(zip(draw.ids, ROWS, strict=True))
        owned = [{rows[name] for name in draw.ids if Shard(n, 2).owns(name)} for n in (1, 2)]
        _, output, folder = merged(*self.shards(draw, monkeypatch, (10, 4)))
        report = report_in(folder)

        assert {(row.expected, row.predicted) for row in report.conflicts} == owned[0] & owned[1]
        (known,) = [row for row in report.conflicts if (row.expected, row.predicted) == ("sci.space", "sci.space")]
        assert known.flipped
        assert known.samples == list(rows.values()).count(("sci.space", "sci.space"))
        assert [(said.shard, said.score, said.reason) for said in known.verdicts] == [
            (1, 1.0, "says 10"),
            (2, 0.4, "says 4"),
        ]
        line = f"they disagree on the score of {len(report.conflicts)} of {len(set(ROWS))} distinct pairs"
        assert line in output
        assert line in (folder / "summary.md").read_text().replace("\\", "")

    def test_each_sample_keeps_its_own_verdict(self, draw, merged, monkeypatch):
        _, _, folder = merged(*self.shards(draw, monkeypatch, (10, 4)))
        for row in report_in(folder).samples:
            assert row.score == (1.0 if Shard(1, 2).owns(row.id) else 0.4)

    def test_scores_on_the_same_side_do_not_flip(self, draw, merged, monkeypatch):
        _, _, folder = merged(*self.shards(draw, monkeypatch, (10, 9)))
        conflicts = report_in(folder).conflicts
        assert conflicts
        assert not any(row.flipped for row in conflicts)

    def test_no_verdict_is_no_contradiction(self, draw, merged, monkeypatch):
        _, _, folder = merged(*self.shards(draw, monkeypatch, (10, "none")))
        assert report_in(folder).tally.unscored > 0
        assert report_in(folder).conflicts == []

    def test_votes_on_a_pair_are_those_of_one_shard(self, draw, merged, monkeypatch):
        rows = dict(zip(draw.ids, ROWS, strict=True))
        first = {rows[name] for name in draw.ids if Shard(1, 2).owns(name)}
        _, _, folder = merged(*self.shards(draw, monkeypatch, (10, 4), repeats=3))
        report = report_in(folder)
        assert all(len(row.votes) == 3 and row.spread == 0 for row in report.pairs)
        scores = {(row.expected, row.predicted): row.score for row in report.pairs}
        assert scores == {pair: 1.0 if pair in first else 0.4 for pair in set(ROWS)}
        assert report.noise.pairs == report.judge.distinct_pairs == len(set(ROWS))
        assert sum(row.samples for row in report.pairs) == len(ROWS)

    def test_usage_is_summed(self, draw, merged, monkeypatch):
        folders = list(self.shards(draw, monkeypatch, (10, 4, 10), judge_price_in=1.0))
        parts = [report_in(folder).run.usage for folder in folders]
        _, _, folder = merged(*folders)
        run = report_in(folder).run
        for name in ("calls", "preflight_calls", "tokens_in", "tokens_out", "cost"):
            assert getattr(run.usage, name) == pytest.approx(sum(getattr(part, name) for part in parts))
            assert getattr(run.usage, name) > 0
        assert [(part.shard, part.usage) for part in run.shards] == [
            (f"{index}/3", part) for index, part in enumerate(parts, 1)
        ]


def test_confirmations_survive(draw, merged):
    chosen = {"confirm_failures": 2}
    _, _, folder = merged(*draw.shards(3, **chosen))
    whole = draw.measure(**chosen)
    assert whole.noise.confirmed_pairs > 0
    assert same(report_in(folder), whole)


def test_shards_that_share_a_store_ask_for_each_pair_once(draw, merged):
    store = draw.folder / "shared.sqlite"
    with VerdictStore(store):
        pass
    folders = []
    for index in (1, 2):
        folder = draw.folder / str(index)
        folder.mkdir()
        write_reports(draw.measure(shard=f"{index}/2", verdict_store=store), folder)
        folders.append(folder)
    _, _, folder = merged(*folders)
    assert report_in(folder).run.usage.calls == len(set(ROWS))
