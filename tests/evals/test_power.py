"""How many samples: the answers, and the warning before a run."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.commands import power
from evals.power import power_warning
from evals.settings import GatePolicy
from evals.statistics import gate_chances
from tests.evals.calibration import call, quick


@pytest.fixture
def run(capsys):
    def run(*arguments, code=0):
        assert call(power, *arguments) == code
        captured = capsys.readouterr()
        return captured.err if code else captured.out

    return run


def table(said):
    """{samples: [chances in per cent]}"""
    rows = re.findall(r"^ +([\d,]+) +((?:[\d.]+% *)+)$", said, re.MULTILINE)
    return {int(number.replace(",", "")): [float(cell) for cell in cells.split("%")[:-1]] for number, cells in rows}


def test_a_gate(run):
    said = run("gate", "--rate", ".85")
    chances = table(said)
    assert list(chances) == [50, 100, 200, 380, 500, 1000, 2000, 5000]
    # Design: with threshold .80 and true rate .85, n = 500 is needed to pass 90 % of the time.
    assert chances[500][0] == pytest.approx(90, abs=1)
    assert chances[100] == pytest.approx([100 * c for c in gate_chances(0.85, 0.8, 100, confidence=0.95)], abs=0.05)
    assert "From 380 samples on it passes in at least 80% of all runs." in said


def test_a_gate_that_should_fail(run):
    said = run("gate", "--rate", ".75", "--power", ".9", "--samples", "601, 100")
    assert list(table(said)) == [100, 601]
    assert "From 601 samples on it fails in at least 90% of all runs." in said


def test_a_gate_that_nothing_decides(run):
    said = run("gate", "--rate", ".8")
    assert "no number of samples decides that" in said
    # The two errors of the gate at its threshold.
    assert all(chances[0] < 7 and chances[2] < 7 for chances in table(said).values())


def test_the_power_table_of_the_oracle(run, shared_data):
    import json

    oracle = json.loads((shared_data / "oracles.json").read_text(encoding="utf-8"))["gate_simulation"]
    expected = oracle["paired_power_5pp_drop_10pct_discordance"]
    said = run("baseline", "--difference", "-.05", "--discordance", ".1", "--samples", ",".join(expected))
    found = {str(number): chances[1] / 100 for number, chances in table(said).items()}
    assert found == pytest.approx(expected, abs=0.01)


def test_a_baseline_that_is_equalled(run):
    said = run("baseline", "--difference", "0", "--discordance", ".1", "--margin", ".02")
    assert "1,565 samples show that it is no worse, with a margin of 2 points, in 80% of all runs." in said
    assert table(said)[1565] == pytest.approx([80], abs=0.5)


def test_a_baseline_that_is_missed(run):
    said = run("baseline", "--difference", "-.05", "--samples", "1000")
    assert "5 points below the baseline's" in said
    assert "would be an error" in said
    assert "305 samples show that the two differ in 80% of all runs." in said


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("gate",), "--rate is needed"),
        (("gate", "--rate", "1.2"), "--rate is '1.2': must be less than or equal to 1"),
        (("gate", "--rate", "nan"), "--rate is 'nan'"),
        (("gate", "--rate", ".9", "--min-pass-rate", "1"), "--min-pass-rate is '1': must be less than 1"),
        (("gate", "--rate", ".9", "--confidence", ".5"), "--confidence is '.5': must be greater than 0.5"),
        (("gate", "--rate", ".9", "--power", "80"), "--power is '80': must be less than 1"),
        (("gate", "--rate", ".9", "--samples", "0"), "--samples is '0': must be greater than or equal to 1"),
        (("gate", "--rate", ".9", "--samples", "1;2"), "--samples is '1;2': must be a valid integer"),
        (("baseline", "--margin", "0"), "--margin is '0': must be greater than 0"),
        (("baseline", "--difference", "-.2"), "models that differ on 0.1 of the samples cannot differ by -0.2"),
        (("baseline", "--difference", "-.01999", "--discordance", ".9"), "more than 100 million samples"),
    ],
)
def test_mistakes(run, arguments, problem):
    said = run(*arguments, code=2)
    assert problem in said
    assert len(said.splitlines()) == 1


class TestWarning:
    def test_few_samples(self):
        assert power_warning(100, GatePolicy()) == (
            "100 samples are too few for this gate: a model whose true pass rate is 85% shows the required 80% in 35% "
            "of all runs; 380 samples would make that 80%"
        )

    def test_enough_samples(self):
        assert power_warning(380, GatePolicy()) is None

    def test_little_room_above_the_requirement(self):
        assert "whose true pass rate is 99% shows the required 98%" in power_warning(
            100, GatePolicy(min_pass_rate=0.98)
        )

    def test_what_samples_never_show(self):
        assert "never passes" in power_warning(10_000, GatePolicy(min_pass_rate=1.0))

    @pytest.mark.parametrize("policy", [{"gate": "every-sample"}, {"min_pass_rate": 0.0}])
    def test_no_rate_is_asked_for(self, policy):
        assert power_warning(1, GatePolicy(**policy)) is None

    @given(st.integers(1, 3000), st.floats(0.01, 0.99), st.floats(0.6, 0.99))
    @quick
    def test_the_number_needed_is_enough(self, samples, required, confidence):
        policy = GatePolicy(min_pass_rate=required, confidence=confidence)
        said = power_warning(samples, policy)
        if said is not None:
            needed = int(re.search(r"; ([\d,]+) samples", said)[1].replace(",", ""))
            assert needed > samples
            assert power_warning(needed, policy) is None
