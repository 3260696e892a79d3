"""What is said of curves whose case is known, and how surely."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest

from tests.training.diagnosis.synthetic import NOISY, PRECISE, RIGHT, counts
from training.diagnosis import Curves, Kind, Measure, Series, judge
from training.diagnosis.trends import noise, trend

SEEDS = 10


def said_of(shape, points, noises):
    pairs = product(points, noises)
    return sum((counts(shape, size, scale, SEEDS) for size, scale in pairs), start=Counter())


@pytest.mark.parametrize("shape", RIGHT)
def test_what_is_said_is_right(shape):
    said = said_of(shape, (8, 20, 60), (PRECISE, NOISY))
    right, spoken = said[RIGHT[shape]], said.total() - said[Kind.CANNOT_TELL]

    assert right >= 0.95 * spoken
    assert right >= 0.2 * said.total()


@pytest.mark.parametrize("shape", [shape for shape, right in RIGHT.items() if right is Kind.HEALTHY])
def test_a_healthy_training_is_hardly_ever_called_overfitting(shape):
    said = said_of(shape, (12, 60), (NOISY, 0.1))

    assert said[Kind.OVERFITTING] <= 0.05 * said.total()


@pytest.mark.parametrize("shape", RIGHT)
def test_clear_curves_get_a_verdict(shape):
    said = said_of(shape, (60,), (PRECISE,))

    assert said[RIGHT[shape]] >= 0.75 * said.total()


def curves(train, validation):
    """Two curves over steps 1, 2, ...; either may be missing."""
    known = {Measure.TRAIN_LOSS: train, Measure.FULL_VALIDATION_LOSS: validation}
    series = {name: Series(name, tuple(range(1, len(v) + 1)), tuple(v)) for name, v in known.items() if v is not None}
    return Curves("made", series)


FALLING = (1.5, 1.1, 0.8, 0.6, 0.45, 0.35, 0.28, 0.22)


def test_overfitting_says_which_checkpoint_to_take():
    verdict = judge(curves(FALLING, (1.5, 1.2, 1.1, 1.15, 1.22, 1.31, 1.4, 1.5)))

    assert verdict.kind is Kind.OVERFITTING
    assert verdict.next_step.startswith("take the checkpoint of step 3; another time fewer epochs")


@pytest.mark.parametrize("points", range(6))
def test_few_points_say_nothing(points):
    rising = (1.0, 1.2, 1.4, 1.6, 1.8, 2.0)[:points]

    assert judge(curves(FALLING, rising or None)).kind is Kind.CANNOT_TELL


def test_a_rise_of_both_losses_is_not_called_overfitting():
    rising = (1.0, 0.9, 1.1, 1.3, 1.5, 1.7, 1.9, 2.1)
    verdict = judge(curves(rising, [value + 0.2 for value in rising]))

    assert verdict.kind is Kind.CANNOT_TELL
    assert "so does the training loss: unstable" in verdict.reason


def test_without_training_loss_a_rise_is_not_called_overfitting():
    verdict = judge(curves(None, (1.0, 0.9, 1.1, 1.3, 1.5, 1.7, 1.9, 2.1)))

    assert (verdict.kind, verdict.reason) == (Kind.CANNOT_TELL, "there is no training loss to compare with")


def test_a_rise_that_nobody_would_care_about_is_not_called_overfitting():
    slightly = [1.5, 1.2, *(1.0 + 0.001 * step for step in range(10))]

    assert judge(curves((*FALLING, 0.21, 0.2, 0.2, 0.2), slightly)).kind is not Kind.OVERFITTING


def test_a_task_already_mastered_is_not_called_underfitting():
    flat = (0.02, 0.0201, 0.0199, 0.02, 0.0201, 0.0199, 0.02, 0.02)

    assert judge(curves(flat, flat)).kind is Kind.CANNOT_TELL


def test_the_interval_of_a_trend_covers_the_truth():
    random = np.random.default_rng(0)
    steps = tuple(range(30))
    hits = 0
    for _ in range(300):
        values = 0.02 * np.arange(30) + random.standard_t(3, 30)
        found = trend(Series("x", steps, tuple(values)), confidence=0.95)
        hits += found.low <= 0.02 * 29 <= found.high

    # 95 %, or a little more: neighbours that look alike by chance widen it.
    assert 0.93 <= hits / 300 <= 1


def test_the_noise_of_a_curve_is_not_its_fall():
    random = np.random.default_rng(0)
    values = 5 * np.exp(-np.arange(400) / 100) + 0.1 * random.normal(size=400)

    assert noise(Series("x", tuple(range(400)), tuple(values))) == pytest.approx(0.1, rel=0.15)


def test_a_long_log_is_judged_in_a_moment():
    steps = np.arange(20_000)
    falling = 0.5 + np.exp(-steps / 2_000) + 0.1 * np.random.default_rng(0).normal(size=len(steps))

    assert judge(curves(tuple(falling), tuple(falling))).kind is Kind.HEALTHY
