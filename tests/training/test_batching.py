"""The plan of batches: every document in every epoch, budget kept, likeness of lengths, shares."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.batching import plan_batches
from training.trainer import Milestones

LENGTHS = st.lists(st.integers(1, 64), min_size=1, max_size=80)


@given(LENGTHS, st.integers(64, 300), st.integers(1, 4), st.integers(0, 20), st.integers(1, 4), st.integers(0, 9))
def test_every_document_once_an_epoch_within_the_budget(lengths, budget, epochs, min_steps, accumulation, seed):
    plan = plan_batches(
        lengths, budget=budget, epochs=epochs, min_steps=min_steps, seed=seed, accumulation=accumulation
    )

    counts = Counter(index for batch in plan.batches for index in batch)
    assert set(counts) == set(range(len(lengths)))
    assert len(set(counts.values())) == 1
    assert counts[0] >= epochs
    assert all(max(lengths[i] for i in batch) * len(batch) <= budget for batch in plan.batches)
    assert plan.steps >= min_steps
    assert plan.steps == -(-len(plan.batches) // accumulation)
    # Not one epoch more than asked for or needed.
    assert counts[0] == epochs or plan.epoch_ends[-2:-1] < (min_steps,)


@given(LENGTHS, st.integers(2, 3), st.integers(1, 3))
def test_processes_make_together_the_steps_of_one(lengths, processes, accumulation):
    several = plan_batches(
        lengths, budget=64, epochs=2, min_steps=0, seed=0, accumulation=accumulation, processes=processes
    )
    one = plan_batches(lengths, budget=64, epochs=2, min_steps=0, seed=0, accumulation=accumulation * processes)

    assert (several.steps, several.epoch_ends) == (one.steps, one.epoch_ends)
    shares = [several.share(rank) for rank in range(processes)]
    assert len({len(share) for share in shares}) == 1
    for step in range(one.steps):
        mine = slice(step * accumulation, (step + 1) * accumulation)
        learned = sorted(index for share in shares for batch in share[mine] for index in batch)
        whole = slice(step * accumulation * processes, (step + 1) * accumulation * processes)
        expected = sorted(index for batch in one.batches[whole] for index in batch)
        if step < one.steps - 1:
            assert learned == expected
        # In the last step, there may be no document left to part batches with.
        assert set(learned) == set(expected)
        assert len(learned) - len(expected) < processes
        assert learned == expected or all(len(batch) == 1 for share in shares for batch in share[mine])


def test_padding_is_small_and_the_order_is_no_ramp():
    lengths = np.random.default_rng(0).lognormal(5, 1, 2000).astype(int).clip(1, 1024).tolist()
    plan = plan_batches(lengths, budget=4096, epochs=1, min_steps=0, seed=0)

    padded = sum(max(lengths[i] for i in batch) * len(batch) for batch in plan.batches)
    assert padded < 1.15 * sum(lengths)
    longest = [max(lengths[i] for i in batch) for batch in plan.batches]
    assert abs(np.corrcoef(range(len(longest)), longest)[0, 1]) < 0.2


def test_the_plan_depends_on_the_seed_and_the_epoch_only():
    lengths = list(range(1, 60))
    plans = [plan_batches(lengths, budget=120, epochs=2, min_steps=0, seed=seed).batches for seed in (1, 1, 2)]

    assert plans[0] == plans[1] != plans[2]
    half = len(plans[0]) // 2
    assert plans[0][:half] != plans[0][half:]


@pytest.mark.parametrize(("documents", "epochs", "evaluations"), [(4, 100, 10), (4, 3, 3), (1000, 2, 4), (1, 1, 1)])
def test_evaluations_are_neither_rare_nor_too_many(documents, epochs, evaluations):
    plan = plan_batches([64] * documents, budget=64, epochs=epochs, min_steps=0, seed=0)
    milestones = Milestones.of(plan)

    assert len(milestones.evaluate) == evaluations
    assert plan.steps in milestones.evaluate
    assert milestones.evaluate <= milestones.save <= milestones.log
    assert_saved_often(milestones)


@pytest.mark.parametrize(
    ("steps", "wanted", "evaluate"),
    [(12, 4, {3, 6, 9, 12}), (10, 4, {3, 5, 8, 10}), (3, 12, {1, 2, 3}), (1000, 1, {1000})],
)
def test_evaluations_are_as_many_as_asked_for(steps, wanted, evaluate):
    plan = plan_batches([64] * steps, budget=64, epochs=1, min_steps=0, seed=0)
    milestones = Milestones.of(plan, wanted)

    assert milestones.evaluate == evaluate
    assert milestones.evaluate <= milestones.save <= milestones.log
    assert_saved_often(milestones)


def assert_saved_often(milestones):
    stops = [0, *sorted(milestones.save)]
    assert max(after - before for before, after in pairwise(stops)) <= 200
