"""How many samples are needed: by enumeration, against the oracle table and by drawing."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from evals.statistics import (
    gate_chances,
    gate_samples,
    mcnemar_midp,
    noninferiority,
    noninferiority_power,
    noninferiority_samples,
    paired_power,
    paired_samples,
    samples_to_decide,
    wilson_lower,
    wilson_upper,
)
from tests.evals.statistics import quick


class TestGate:
    @given(st.floats(1e-6, 1), st.floats(0.05, 0.95), st.integers(1, 200), st.floats(0.6, 0.99))
    @quick
    def test_chances_are_sums_over_all_counts(self, rate, minimum, samples, confidence):
        chance = binom.pmf(range(samples + 1), samples, rate)
        passing = [wilson_lower(k, samples, confidence=confidence) >= minimum for k in range(samples + 1)]
        failing = [wilson_upper(k, samples, confidence=confidence) < minimum for k in range(samples + 1)]
        expected = (chance[passing].sum(), 1 - chance[passing].sum() - chance[failing].sum(), chance[failing].sum())
        assert gate_chances(rate, minimum, samples, confidence=confidence) == pytest.approx(expected, abs=1e-9)

    @pytest.mark.parametrize("samples", [50, 67, 100, 500, 550, 1_000, 7_532])
    def test_false_passes_at_the_threshold(self, samples):
        """Design: up to 6.9 % near 50 samples, under 5.5 % from 550 on."""
        allowed = 0.055 if samples >= 550 else 0.07
        for threshold in np.arange(0.5, 0.96, 0.05):
            assert gate_chances(threshold, threshold, samples, confidence=0.95).passes <= allowed

    def test_500_samples_pass_a_rate_of_85_against_80_nine_times_in_ten(self):
        """oracles.json: n_for_90pct_pass_at_p_0.85_threshold_0.80 is 500."""
        assert gate_chances(0.85, 0.8, 500, confidence=0.95).passes == pytest.approx(0.904, abs=5e-4)
        assert gate_chances(0.85, 0.8, 450, confidence=0.95).passes < 0.9

    @pytest.mark.parametrize(("rate", "minimum"), [(0.85, 0.8), (0.75, 0.8), (0.6, 0.5), (0.99, 0.9), (0.3, 0.5)])
    def test_from_the_number_on_the_power_stays_up(self, rate, minimum):
        needed = gate_samples(rate, minimum, confidence=0.95, power=0.9)

        def decides(samples):
            chances = gate_chances(rate, minimum, samples, confidence=0.95)
            return chances.passes if rate > minimum else chances.fails

        assert decides(needed - 1) < 0.9
        assert all(decides(samples) >= 0.9 for samples in range(needed, needed + 60))
        assert needed == pytest.approx(samples_to_decide(rate, minimum, confidence=0.95, power=0.9), rel=0.2, abs=15)

    def test_83_against_80_needs_about_1100(self):
        assert samples_to_decide(0.83, 0.8, confidence=0.95) == 1055
        assert gate_samples(0.83, 0.8, confidence=0.95, power=0.8) == pytest.approx(1_100, rel=0.03)

    def test_a_rate_at_the_threshold_is_decided_by_no_number(self):
        assert gate_samples(0.8, 0.8, confidence=0.95, power=0.8) is None
        assert samples_to_decide(0.8, 0.8, confidence=0.95) is None

    def test_a_hair_above_the_threshold_is_answered_at_once(self):
        assert gate_samples(0.8001, 0.8, confidence=0.95, power=0.8) > 10**7

    @given(st.floats(0.01, 0.99), st.floats(0.01, 0.99), st.floats(0.55, 0.99), st.floats(0.05, 0.95))
    @quick
    def test_more_power_needs_no_fewer(self, rate, minimum, confidence, power):
        if abs(rate - minimum) > 0.02:
            few = samples_to_decide(rate, minimum, confidence=confidence, power=power)
            assert 1 <= few <= samples_to_decide(rate, minimum, confidence=confidence, power=(power + 1) / 2)

    @pytest.mark.parametrize("samples", [1, 2])
    def test_one_sample_decides_little(self, samples):
        chances = gate_chances(0.8, 0.8, samples, confidence=0.95)
        assert chances.passes == 0
        assert sum(chances) == pytest.approx(1)


class TestPaired:
    def test_oracle_table(self):
        """oracles.json, 5 points worse with 10 % differing: a simulation of 1,000 draws, so within 2.5 errors."""
        simulated = {100: 0.333, 200: 0.616, 400: 0.904, 800: 0.997}
        exact = {100: 0.328, 200: 0.617, 400: 0.902, 800: 0.996}
        for samples, power in exact.items():
            assert paired_power(-0.05, 0.1, samples, confidence=0.95) == pytest.approx(power, abs=5e-4)
            error = math.sqrt(power * (1 - power) / 1_000)
            assert abs(simulated[samples] - power) < 2.5 * error

    @pytest.mark.parametrize(("difference", "discordance", "samples"), [(0.05, 0.2, 40), (-0.1, 0.1, 25), (0, 0.3, 30)])
    def test_powers_are_sums_over_all_tables(self, difference, discordance, samples):
        expected = {"paired": 0.0, "noninferior": 0.0}
        for differing in range(samples + 1):
            for gained in range(differing + 1):
                chance = binom.pmf(differing, samples, discordance) * binom.pmf(
                    gained, differing, (discordance + difference) / 2 / discordance
                )
                lost = differing - gained
                expected["paired"] += chance * (mcnemar_midp(gained, lost) < 0.05)
                tested = noninferiority(gained, lost, samples, margin=0.1, confidence=0.95)
                expected["noninferior"] += chance * tested.holds
        assert paired_power(difference, discordance, samples, confidence=0.95) == pytest.approx(expected["paired"])
        found = noninferiority_power(difference, discordance, samples, margin=0.1, confidence=0.95)
        assert found == pytest.approx(expected["noninferior"])

    @pytest.mark.parametrize("samples", [100, 500, 2_000, 7_532])
    @pytest.mark.parametrize("discordance", [0.05, 0.1, 0.3])
    def test_noninferiority_errs_about_as_often_as_it_says(self, samples, discordance):
        error = noninferiority_power(-0.02, discordance, samples, margin=0.02, confidence=0.95)
        assert 0.03 < error < 0.055

    def test_needed_numbers(self):
        needed = paired_samples(-0.05, 0.1, confidence=0.95, power=0.8)
        assert paired_power(-0.05, 0.1, needed, confidence=0.95) >= 0.8
        # Connor (1987): (1.96 sqrt(.1) + .8416 sqrt(.1 - .05^2))^2 / .05^2 = 312.
        assert needed == pytest.approx(312, rel=0.05)
        needed = noninferiority_samples(0, 0.1, margin=0.02, confidence=0.95, power=0.8)
        assert noninferiority_power(0, 0.1, needed, margin=0.02, confidence=0.95) >= 0.8
        # Normal approximation: (1.645 + .8416)^2 * .1 / .02^2 = 1546.
        assert needed == pytest.approx(1_546, rel=0.03)

    def test_no_difference_is_shown_by_no_number(self):
        assert paired_samples(0, 0.1, confidence=0.95, power=0.8) is None
        assert noninferiority_samples(-0.02, 0.1, margin=0.02, confidence=0.95, power=0.8) is None

    @given(st.floats(0, 0.3), st.floats(0.3, 1), st.integers(1, 120))
    @quick
    def test_which_model_is_the_better_does_not_matter(self, difference, discordance, samples):
        better, worse = (paired_power(d, discordance, samples, confidence=0.95) for d in (difference, -difference))
        assert 0 <= better <= 1
        assert better == pytest.approx(worse, abs=1e-8)

    @pytest.mark.parametrize("discordance", [0, 1])
    def test_models_that_always_or_never_differ(self, discordance):
        assert 0 <= paired_power(0, discordance, 20, confidence=0.95) <= 0.05
        assert 0 <= noninferiority_power(0, discordance, 200, margin=0.1, confidence=0.95) <= 1


class TestRefusals:
    @pytest.mark.parametrize(("rate", "minimum"), [(1.1, 0.8), (0.8, -0.1), (math.nan, 0.8)])
    def test_impossible_rates(self, rate, minimum):
        with pytest.raises(ValueError, match="rate must lie between 0 and 1"):
            gate_chances(rate, minimum, 10, confidence=0.95)
        with pytest.raises(ValueError, match="rate must lie between 0 and 1"):
            samples_to_decide(rate, minimum, confidence=0.95)

    def test_no_samples(self):
        with pytest.raises(ValueError, match="not 0"):
            gate_chances(0.8, 0.8, 0, confidence=0.95)
        with pytest.raises(ValueError, match="not 0"):
            paired_power(0.1, 0.2, 0, confidence=0.95)

    def test_a_difference_larger_than_what_differs(self):
        with pytest.raises(ValueError, match=r"differ on 0.1 of the samples cannot differ by 0.2"):
            paired_power(0.2, 0.1, 10, confidence=0.95)

    @pytest.mark.parametrize("power", [0, 1, math.nan])
    def test_impossible_power(self, power):
        with pytest.raises(ValueError, match=f"power must lie between 0 and 1, not {power}"):
            samples_to_decide(0.85, 0.8, confidence=0.95, power=power)
        with pytest.raises(ValueError, match=f"power must lie between 0 and 1, not {power}"):
            paired_samples(0.05, 0.1, confidence=0.95, power=power)

    @pytest.mark.parametrize("margin", [-0.1, 1, math.nan])
    def test_impossible_margin(self, margin):
        with pytest.raises(ValueError, match=f"margin must lie between 0 and 1, not {margin}"):
            noninferiority_power(0.1, 0.2, 10, margin=margin, confidence=0.95)
