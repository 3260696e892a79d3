"""Saved reports and the commands on them: nothing is overwritten, nothing is taken for something else."""

import argparse
import json
import multiprocessing
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from rich.console import Console

from evals.baselines import find_report, list_baselines, save_baseline
from evals.commands import baseline, compare
from evals.gate import not_evaluated
from evals.reports import read_report
from evals.settings import GatePolicy
from fixtures.contracts.errors import UserError
from tests.evals.test_comparison import WHOLE, changed, judged_by, report, row

HOSTILE = "[bold]\x1b[2J\x9b31m\nerror: forged :rocket:"


@pytest.fixture(autouse=True)
def _outside_any_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))


@pytest.fixture
def storage(tmp_path):
    return tmp_path / "baselines"


@pytest.fixture
def evals(capsys):
    """Runs a command as ``python -m evals`` does; its output, or its error."""
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True)
    for command in (baseline, compare):
        command.add_parser(commands)

    def run(*arguments, code=0):
        options = parser.parse_args([str(argument) for argument in arguments])
        try:
            found = options.run(options, Console(markup=False, highlight=False, soft_wrap=True))
        except UserError as error:
            found = 2
            print(f"error: {error}", file=sys.stderr)
        captured = capsys.readouterr()
        assert found == code, captured.out + captured.err
        return captured.err if code == 2 else captured.out

    return run


@pytest.fixture
def written(tmp_path):
    """Writes reports into folders of their own."""

    def write(name, what):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "report.json").write_text(what.to_json())
        return folder

    return write


def names(folder):
    return [path.name for path in folder.iterdir()]


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


class TestStorage:
    def test_a_baseline_is_the_report(self, storage):
        saved = save_baseline(WHOLE, storage, name="main_1.0")
        assert saved.path.name == f"0001_nocommit_{saved.path.name[14:29]}_main_1.0.json"
        assert saved.path.read_text() == WHOLE.to_json()
        assert read_report(saved.path) == WHOLE
        assert list_baselines(storage) == [saved]
        assert names(storage) == [saved.path.name]

    def test_numbers_go_on(self, storage):
        storage.mkdir()
        for taken in ("0007_nocommit_20260101-000000.json", "0009_something else", "notes.txt", "12_x.json"):
            (storage / taken).touch()
        assert [save_baseline(WHOLE, storage).number for _ in range(2)] == [10, 11]
        (storage / "9999_nocommit_20260101-000000.json").touch()
        assert save_baseline(WHOLE, storage).number == 10_000
        assert [saved.number for saved in list_baselines(storage)] == [7, 10, 11, 9999, 10_000]

    def test_a_mark_of_a_killed_process_costs_a_number_only(self, storage):
        storage.mkdir()
        (storage / ".0001.reserved").touch()
        assert [save_baseline(WHOLE, storage).number for _ in range(2)] == [2, 3]

    def test_many_threads_at_once(self, storage):
        with ThreadPoolExecutor(8) as pool:
            saved = list(pool.map(lambda name: save_baseline(WHOLE, storage, name=f"n{name}"), range(40)))
        assert sorted(entry.number for entry in saved) == list(range(1, 41))
        assert len(names(storage)) == 40

    def test_several_processes_at_once(self, storage):
        # Forked: two new interpreters would be busy with imports at different times.
        fork = multiprocessing.get_context("fork")
        together = fork.Barrier(3)

        def save(name):
            together.wait(30)
            for _ in range(15):
                save_baseline(WHOLE, storage, name=name)

        processes = [fork.Process(target=save, args=(name,)) for name in ("a", "b", "c")]
        for process in processes:
            process.start()
        for process in processes:
            process.join(60)
        assert [process.exitcode for process in processes] == [0, 0, 0]
        assert [saved.number for saved in list_baselines(storage)] == list(range(1, 46))
        assert len(names(storage)) == 45

    def test_the_commit(self, storage, tmp_path, monkeypatch):
        git(tmp_path, "init", "--quiet")
        assert save_baseline(WHOLE, storage).commit == "nocommit", "there is no commit yet"
        (tmp_path / "file").write_text("1")
        git(tmp_path, "add", "file")
        git(tmp_path, "commit", "--quiet", "-m", "one")
        git(tmp_path, "tag", "-a", "v1", "-m", "v1")
        head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout[:12]
        assert save_baseline(WHOLE, storage).commit == head
        (tmp_path / "file").write_text("2")
        dirty = save_baseline(WHOLE, storage)
        assert dirty.commit == f"{head}-dirty"
        assert list_baselines(storage)[-1] == dirty
        monkeypatch.setenv("PATH", str(tmp_path / "nothing here"))
        assert save_baseline(WHOLE, storage).commit == "nocommit"

    @pytest.mark.parametrize("name", ["12", "latest", "a b", "../x", ".x", "-x", "é", "x" * 65, HOSTILE])
    def test_names_that_could_be_something_else(self, storage, name):
        with pytest.raises(UserError, match="a name has at most 64 of the characters") as caught:
            save_baseline(WHOLE, storage, name=name)
        assert "\x1b" not in str(caught.value)
        assert not storage.exists()

    def test_only_a_measurement_is_kept(self, storage):
        narrowed = report("pp", complete=False, gate=not_evaluated("1 of 2 drawn samples were selected", GatePolicy()))
        stopped = report("pu", gate=WHOLE.gate.model_copy(update={"outcome": "incomplete"}))
        for unfinished, reason in ((narrowed, "1 of 2 drawn samples were selected"), (stopped, "have no verdict")):
            with pytest.raises(UserError, match=f"this report cannot be a baseline: .*{reason}"):
                save_baseline(unfinished, storage)
        assert not storage.exists()

    def test_a_folder_that_cannot_be_used(self, storage):
        storage.write_text("a file")
        for use in (list_baselines, lambda folder: save_baseline(WHOLE, folder)):
            with pytest.raises(UserError, match=r"baseline.* in .*baselines: "):
                use(storage)


class TestFinding:
    @pytest.fixture
    def saved(self, storage):
        return [save_baseline(WHOLE, storage, name=name).path for name in ("main", "other", "main", "")]

    @pytest.mark.parametrize(
        ("text", "which"), [("1", 0), ("0001", 0), ("2", 1), ("other", 1), ("main", 2), ("latest", 3), ("00004", 3)]
    )
    def test_numbers_and_names(self, storage, saved, text, which):
        assert find_report(text, storage) == saved[which]

    def test_files(self, storage, saved, written, tmp_path):
        assert find_report(saved[1].name, storage) == saved[1]
        assert find_report(saved[1].stem, storage) == saved[1]
        assert find_report(str(saved[1]), storage) == saved[1]
        folder = written("run", WHOLE)
        for text in (str(folder), str(folder / "report.json"), "run", "./run"):
            assert find_report(text, storage).resolve() == folder / "report.json"

    def test_what_could_be_two_things(self, storage, saved, written):
        folder = written("main", WHOLE)
        with pytest.raises(UserError, match=r"main is a baseline in .* and a report: write \./main or "):
            find_report("main", storage)
        assert find_report("./main", storage).resolve() == folder / "report.json"
        written("latest", WHOLE)
        assert find_report("latest", storage) == saved[3]
        (storage / "0002_nocommit_20260101-000000.json").touch()
        with pytest.raises(UserError, match="2 is the number of several baselines"):
            find_report("2", storage)

    @pytest.mark.parametrize("text", ["5", "nobody", "mai", "", HOSTILE, "../x"])
    def test_nothing(self, storage, saved, text):
        with pytest.raises(UserError, match="the last ones are: 0001 main, 0002 other, 0003 main, 0004") as caught:
            find_report(text, storage)
        assert "\x1b" not in str(caught.value)

    def test_an_empty_storage(self, storage):
        with pytest.raises(UserError, match="`python -m evals baseline save REPORT` saves one"):
            find_report("latest", storage)


class TestCommands:
    def test_save_list_compare(self, evals, written, storage):
        before, after = (written(name, what) for name, what in zip("ab", changed(19, 31, 500), strict=True))
        assert "no baseline in" in evals("baseline", "list", "--storage", storage)
        evals("baseline", "save", before, "--name", "main", "--storage", storage)
        (storage / "0002_nocommit_20260101-000000.json").write_text('{"schema_version": 9, "x": "\x9b2J"}')
        listed = evals("baseline", "list", "--storage", storage)
        for shown in ("0001", "main", "nocommit", "rubric", WHOLE.model.digest[:8], "0002", "damaged"):
            assert shown in listed
        assert "is no report of this version" in listed
        assert "is no report of this version" in evals("baseline", "compare", after, "--storage", storage, code=2)
        output = evals("baseline", "compare", after, "main", "--storage", storage)
        assert "This report passes 2.4 points less than the baseline on the same 500 samples: " in output
        (storage / "0002_nocommit_20260101-000000.json").unlink()
        assert evals("baseline", "compare", after / "report.json", "--storage", storage) == output
        assert evals("compare", "1", after, "--storage", storage).splitlines()[2:] == [
            line.replace("the baseline", "A").replace("This report", "B").replace("this report", "B")
            for line in output.splitlines()[2:]
        ]

    def test_the_sentence(self, evals, written):
        before, after = (written(name, what) for name, what in zip("ab", changed(19, 31, 500), strict=True))
        assert evals("compare", before, after).splitlines()[2:4] == [
            "B passes 2.4 points less than A on the same 500 samples: 93.8% against 96.2%, a difference between -5.3 "
            "and +0.4 points with 95% confidence, p = 0.092 (McNemar, mid-p); 31 lost, 19 gained",
            "accuracy: 93.8% against 96.2%, a difference between -5.3 and +0.4 points, p = 0.092 (McNemar, mid-p); "
            "31 lost, 19 gained",
        ]
        assert "A passes 2.4 points more" not in evals("compare", after, before)
        assert "B passes 2.4 points more than A" in evals("compare", after, before)
        same = evals("compare", after, after, "--confidence", "0.9")
        assert "B passes as many as A on the same 500 samples: 93.8% against 93.8%, a difference between" in same
        assert "with 90% confidence, p = 1 (" in same
        assert "no sample changed between passed and failed" in same

    @pytest.mark.parametrize(
        ("counts", "margin", "code", "words"),
        [
            ((19, 31, 500), "0.05", 0, "B is not worse than A by more than 5 points (one-sided bounds -4.8 and "),
            ((1, 60, 500), "0.02", 3, "B is worse than A by more than 2 points (one-sided bounds -14.4 and "),
            ((19, 31, 500), "0.01", 4, "Undecided whether B is worse than A by more than 1 points ("),
        ],
    )
    def test_the_margin_decides_the_exit_code(self, evals, written, counts, margin, code, words):
        before, after = (written(name, what) for name, what in zip("ab", changed(*counts), strict=True))
        output = evals("compare", before, after, "--margin", margin, code=code)
        assert words in output
        assert ("samples decide it with 80% power" in output) == (code == 4)
        assert evals("compare", before, after)

    def test_categories_are_named_with_adjusted_p_values(self, evals, written):
        first = [row(number, "p", f"category-{number % 20}") for number in range(400)]
        second = [row(number, "f" if number % 20 == 3 else "p", f"category-{number % 20}") for number in range(400)]
        before, after = written("a", report(first)), written("b", report(second))
        output = evals("compare", before, after)
        assert "shown to have changed: category-3 (worse) (p-values adjusted for 20 categories, Holm)" in output
        assert "no sample changed in the other 19 of 20 categories" in output
        assert "category-4 " not in output
        assert "category-4 " in evals("compare", before, after, "--all")

    def test_long_lists_are_cut_unless_all_is_wanted(self, evals, written):
        first = [row(number, "p") for number in range(100)]
        second = [row(number, "f") for number in range(60, 200)]
        before, after = written("a", report(first)), written("b", report(second))
        output = evals("compare", before, after)
        assert output.count("  lost    sample-") == 20
        assert "  and 20 more; --all lists them" in output
        assert "60 samples only in A: sample-0, sample-1, " in output
        assert "sample-19 and 40 more; --all lists them" in output
        assert "100 samples only in B: sample-100, " in output
        everything = evals("compare", before, after, "--all")
        assert "more; --all" not in everything
        assert all(f"sample-{number}" in everything for number in range(200))

    def test_json(self, evals, written, tmp_path):
        before, after = (written(name, what) for name, what in zip("ab", changed(19, 31, 500), strict=True))
        printed = json.loads(evals("compare", before, after, "--json", "-", "--margin", "0.05"))
        assert (printed["pass_rate"]["lost"], printed["no_worse"]["outcome"]) == (31, "pass")
        assert "B passes" in evals("compare", before, after, "--json", tmp_path / "out.json")
        stored = json.loads((tmp_path / "out.json").read_text())
        assert stored == printed | {"no_worse": None}
        for path in (before, after):
            error = evals("compare", before, after, "--json", path / "report.json", code=2)
            assert "is one of the reports; name another file" in error
        read_report(after / "report.json")

    def test_a_score_that_is_no_number_does_not_break_json(self, evals, written):
        before, after = (written(name, what) for name, what in zip("ab", changed(0, 1, 2), strict=True))
        path = after / "report.json"
        path.write_text(path.read_text().replace('"score": 0.0', '"score": NaN'))
        assert "NaN" not in evals("compare", before, after, "--json", "-")
        assert "1 lost, 0 gained" in evals("compare", before, after)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--margin", "2"], "--margin is 2: must lie between 0 and 1, as 0.02"),
            (["--margin", "nan"], "--margin is nan: must lie between 0 and 1"),
            (["--margin", "0"], "--margin is 0: must lie between 0 and 1"),
            (["--confidence", "95"], "--confidence is 95: must lie between 0.5 and 1"),
            (["--confidence", "nan"], "--confidence is nan: must lie between 0.5 and 1"),
        ],
    )
    def test_impossible_options(self, evals, written, options, message):
        before = written("a", WHOLE)
        assert message in evals("compare", before, before, *options, code=2)

    def test_reports_that_cannot_be_compared(self, evals, written):
        one = written("a", report("pp", data={"name": HOSTILE}))
        other = written("b", report("pp", data={"digest": HOSTILE}, judge=judged_by({"kind": HOSTILE}, spec=HOSTILE)))
        error = evals("compare", one, other, code=2)
        assert error.count("\n") == 3
        assert not set("\x1b\x9b") & set(error)
        assert "no report of this name" in evals("compare", one, "none.json", code=2)

    def test_nothing_hostile_reaches_the_terminal(self, evals, written, storage):
        hostile = {"expected": HOSTILE, "predicted": HOSTILE}
        rows = [row(number).model_copy(update=hostile | {"id": f"{number}{HOSTILE}"}) for number in range(3)]
        after = [*(entry.model_copy(update={"state": "failed"}) for entry in rows[:1]), rows[1], row(9, "f", HOSTILE)]
        model = WHOLE.model.model_copy(update={"digest": HOSTILE, "base_model": HOSTILE})
        judge = judged_by({"kind": HOSTILE}, spec=HOSTILE) | {"spec": HOSTILE}
        one = written("a", report([*rows, row(9, "p", HOSTILE), row(10)], model=model, judge=judge))
        two = written("b", report([*after, row(10, "f")], model=model, judge=judge))
        evals("baseline", "save", one, "--storage", storage)
        for command in (
            ["compare", one, two, "--all"],
            ["compare", one, two, "--json", "-"],
            ["baseline", "list", "--storage", storage],
            ["baseline", "compare", two, "--storage", storage],
        ):
            output = evals(*command)
            assert not set("\x1b\x9b\U0001f680") & set(output)
            assert "\nerror: forged" not in output
            assert "[bold]" in output
