"""One evaluation in several runs: which samples are a shard's, and what its session does."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.__main__ import main
from evals.baselines import save_baseline
from evals.reports import read_report
from evals.sharding import Shard, parse_shard
from fixtures.contracts.errors import UserError
from tests.evals.conftest import pairs

FAILING = ("--judge", "fixtures.judges:FailingJudge")


class TestAssignment:
    @given(st.text(st.characters(codec="ascii"), max_size=100), st.integers(1, 50))
    def test_every_sample_has_one_shard(self, sample_id, count):
        assert sum(Shard(index, count).owns(sample_id) for index in range(1, count + 1)) == 1

    def test_it_is_the_same_everywhere_and_for_ever(self):
        """As ``sha256sum`` and a calculator say; were it changed, shards of two versions would overlap."""
        ids = ["sci-space-0a1b2c3d", "sci-space-0a1b2c3d-2", "rec-autos-ffffffff", "label-12345678-00000000"]
        shards = [[n for n in range(1, count + 1) if Shard(n, count).owns(name)] for name in ids for count in (2, 7)]
        assert shards == [[2], [6], [1], [6], [2], [5], [1], [4]]

    def test_shards_are_of_about_the_same_size(self):
        owners = Counter(n for number in range(8000) for n in range(1, 9) if Shard(n, 8).owns(f"sci-med-{number:08x}"))
        assert all(900 < size < 1100 for size in owners.values())


@pytest.mark.parametrize(
    "text", ["0/2", "3/2", "1/0", "1", "a/b", "", "1/2/3", "-1/2", "1 /2", "1,2", "\uff11/\uff12", "01/2"]
)
def test_what_is_no_shard(text):
    with pytest.raises(ValueError, match="must be i/n with i from 1 to n, as 1/4"):
        parse_shard(text)


@pytest.fixture
def data(evals):
    return evals.data(pairs(20, 4))


def collected(evals, *options):
    return [line for line in evals.run(*options, "--collect-only", "-q").output.splitlines() if "[" in line]


def test_the_shards_of_a_draw_are_that_draw(evals, data):
    options = [*data, "--num-samples", "15", "--seed", "3"]
    whole = collected(evals, *options)
    parts = [collected(evals, *options, "--shard", f"{index}/3") for index in (1, 2, 3)]
    assert len(whole) == 15
    assert sorted(line for part in parts for line in part) == sorted(whole)
    assert all(part == [line for line in whole if line in part] for part in parts)


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_shard_asserts_its_samples_and_leaves_the_verdict_to_the_merge(evals, data, workers):
    run = evals.run(*data, "-n", workers, "--shard", "1/2", "--min-pass-rate", "0.99")

    assert run.exit_code == 0, run.output
    assert run.verdict["outcome"] == "not evaluated"
    assert run.verdict["sentence"] == "Gate not evaluated: shard 1 of 2: merge decides."
    assert run.verdict["sentence"] in run.output
    owned = [name for name in evals.ids if Shard(1, 2).owns(name)]
    assert [row["id"] for row in run.report["samples"]] == owned
    assert run.report["complete"]
    assert run.report["dataset"]["drawn"] == 24
    assert len(run.junit.findall("testcase")) == len(owned) + 1


def test_a_narrowed_shard_is_not_complete(evals, data):
    run = evals.run(*data, "--shard", "1/2", "-k", "rec-autos")
    assert not run.report["complete"]
    assert "samples of shard 1/2 were selected" in run.verdict["sentence"]


def test_a_shard_from_a_file(evals, data, tmp_path):
    (tmp_path / "shard.json").write_text('{"shard": "2/3"}')
    run = evals.run(*data, "--shard-file", str(tmp_path / "shard.json"))
    assert run.exit_code == 0
    assert (run.report["shard"]["index"], run.report["shard"]["count"]) == (2, 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read config file"),
        ('{"shard": "3/2"}', "\"shard\" is '3/2': must be i/n with i from 1 to n, as 1/4"),
        ('{"shard": 3}', '"shard" is 3: must be i/n'),
        ('{"shard": "1/2", "seed": 3}', 'unknown key "seed"'),
        ("{}", 'the key "shard" is missing; {"shard": "1/4"} is the first of four'),
        ('{"shard": "1/', "not valid JSON"),
    ],
)
def test_a_wrong_shard_file_is_one_clear_line(evals, data, tmp_path, content, message):
    if content is not None:
        (tmp_path / "shard.json").write_text(content)
    run = evals.run(*data, "--shard-file", str(tmp_path / "shard.json"))
    assert run.exit_code == 4
    assert message in run.output
    assert "Traceback" not in run.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--shard", "3/2"], "--shard is '3/2': must be i/n with i from 1 to n, as 1/4"),
        (["--shard", "1/2", "--shard-file", "any"], "--shard and --shard-file exclude each other: a run is one shard"),
    ],
)
def test_a_wrong_shard_is_one_clear_line(evals, data, options, message):
    run = evals.run(*data, *options)
    assert run.exit_code == 4
    assert message in run.output


def test_a_shard_without_samples_measures_nothing_and_is_complete(evals):
    data = evals.data(pairs(3, 0))
    empty = next(n for n in range(1, 9) if not any(Shard(n, 8).owns(name) for name in evals.ids))
    run = evals.run(*data, "--shard", f"{empty}/8")
    assert run.exit_code == 0, run.output
    assert run.report["complete"]
    assert run.report["samples"] == []
    assert (run.folder / "report.html").exists()


class TestUnscored:
    """A shard whose judge fails too often is worth another try; one that the others may make up for is not."""

    def outcome(self, evals, *options):
        run = evals.run(*FAILING, *options, "--shard", "1/2", pairs=pairs(20, 0), FAKE_JUDGE_FAILS_ON="rec.autos")
        self.unscored = run.report["tally"]["unscored"]
        return run.exit_code, run.verdict["outcome"]

    def test_more_than_the_whole_may_leave(self, evals):
        assert self.outcome(evals, "--fail-on", "never") == (1, "incomplete")
        assert self.unscored > 0

    def test_within_what_the_whole_may_leave(self, evals):
        assert self.outcome(evals, "--max-unscored-share", "0.5") == (0, "not evaluated")
        assert self.unscored > 0


class TestOfNoOtherUse:
    @pytest.fixture
    def folder(self, evals, data):
        return evals.run(*data, "--shard", "1/2").folder

    def test_a_shard_has_no_gate(self, folder, capsys):
        assert main(["gate", str(folder), "--min-pass-rate", "0"]) == 5
        assert capsys.readouterr().out == "Gate not evaluated: shard 1 of 2: merge decides.\n"

    def test_a_shard_is_no_baseline(self, folder, tmp_path):
        with pytest.raises(UserError, match="shard 1 of 2"):
            save_baseline(read_report(folder / "report.json"), tmp_path)


def test_the_judge_is_probed_by_the_first_shard_alone(evals, data):
    found = [evals.run(*data, "--probe-judge", "--shard", f"{n}/2").report["probes"] for n in (1, 2)]
    assert found[0]["probes"]
    assert found[1] is None


def test_the_environment_may_name_the_shard(evals, data):
    """As the matrix of a CI job does."""
    run = evals.run(*data, EVALS_SHARD="2/2")
    assert json.loads((run.folder / "report.json").read_text())["shard"]["index"] == 2
