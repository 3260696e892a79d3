"""Which documents stand in which batch, for the whole training, decided before it starts.

Attention and padding cost as the longest text of a batch, so texts of like
length go together; the batches are then shuffled, so that no phase of an epoch
sees short or long texts only. A batch is as large as a budget of tokens, not a
number of texts: a batch of short texts is as much work as one of long ones.

The plan covers all epochs in one list. A resumed run skips what it has done
and is then exactly where the interrupted one was; nothing needs to be
recomputed from an epoch number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["BatchPlan", "plan_batches", "plan_rows"]

JITTER = 0.03
"""Lengths are blurred by this share before sorting: neighbours change from epoch to epoch, for 2 % more padding."""


@dataclass(frozen=True)
class BatchPlan:
    """Batches of indices for a whole training, and where its epochs end.

    ``epoch_ends`` counts optimisation steps, each of ``accumulation`` batches
    on each of ``processes`` processes.
    """

    batches: list[list[int]]
    epoch_ends: tuple[int, ...]
    accumulation: int
    processes: int

    @property
    def steps(self) -> int:
        """Optimisation steps of the whole training."""
        return self.epoch_ends[-1]

    def share(self, rank: int) -> list[list[int]]:
        """The batches of one process: every ``processes``-th."""
        return self.batches[rank :: self.processes]

    def step(self, number: int) -> list[list[int]]:
        """The batches of an optimisation step, counted from 0, on all processes."""
        size = self.accumulation * self.processes
        return self.batches[number * size : (number + 1) * size]

    def epoch_at(self, step: int) -> float:
        """How many epochs are done after ``step`` optimisation steps."""
        start = 0
        for number, end in enumerate(self.epoch_ends):
            if step <= end:
                return number + (step - start) / (end - start)
            start = end
        return float(len(self.epoch_ends))


def plan_batches(
    lengths: Sequence[int],
    *,
    budget: int,
    epochs: int,
    min_steps: int,
    seed: int,
    accumulation: int = 1,
    processes: int = 1,
) -> BatchPlan:
    """Plan ``epochs`` passes, or as many more as give ``min_steps`` optimisation steps.

    ``lengths`` and ``budget`` are in tokens. Which documents a step learns
    from depends on the product of ``accumulation`` and ``processes`` alone.
    """
    return _plan(
        lambda random: _one_epoch(np.asarray(lengths), budget, random), epochs, min_steps, seed, accumulation, processes
    )


def plan_rows(
    count: int,
    *,
    batch_size: int,
    epochs: int,
    min_steps: int,
    seed: int,
    accumulation: int = 1,
    processes: int = 1,
) -> BatchPlan:
    """Plan passes over ``count`` rows in random order, ``batch_size`` of them a batch; see `plan_batches`."""

    def one_epoch(random: np.random.Generator) -> list[list[int]]:
        order = random.permutation(count).tolist()
        return [order[start : start + batch_size] for start in range(0, count, batch_size)]

    return _plan(one_epoch, epochs, min_steps, seed, accumulation, processes)


def _plan(
    one_epoch: Callable[[np.random.Generator], list[list[int]]],
    epochs: int,
    min_steps: int,
    seed: int,
    accumulation: int,
    processes: int,
) -> BatchPlan:
    group = accumulation * processes
    batches: list[list[int]] = []
    ends: list[int] = []
    while len(ends) < epochs or ends[-1] < min_steps:
        batches += one_epoch(np.random.default_rng((seed, len(ends))))
        # Steps run on over the end of an epoch; an epoch ends with the step that holds its last batch.
        ends.append(math.ceil(len(batches) / group))
    last = (len(batches) - 1) // group * group
    return BatchPlan(
        batches[:last] + _divisible(batches[last:], processes), tuple(_increasing(ends)), accumulation, processes
    )


def _divisible(batches: list[list[int]], processes: int) -> list[list[int]]:
    """The same texts in batches of which each process gets as many: all of them must make the same steps."""
    while len(batches) % processes:
        largest = max(range(len(batches)), key=lambda number: len(batches[number]))
        batch = batches[largest]
        if len(batch) > 1:
            half = len(batch) // 2
            batches = [*batches[:largest], batch[:half], batch[half:], *batches[largest + 1 :]]
        else:
            # One text each, and not as many as would do: one is learned twice in this last step.
            batches = [*batches, batch]
    return batches


def _one_epoch(lengths: np.ndarray, budget: int, random: np.random.Generator) -> list[list[int]]:
    blurred = lengths * random.uniform(1 - JITTER, 1 + JITTER, len(lengths))
    batches: list[list[int]] = []
    longest = 0
    for index in np.argsort(-blurred, kind="stable").tolist():
        longest = max(longest, int(lengths[index]))
        if batches and (len(batches[-1]) + 1) * longest <= budget:
            batches[-1].append(index)
        else:
            batches.append([index])
            longest = int(lengths[index])
    return [batches[i] for i in random.permutation(len(batches))]


def _increasing(ends: list[int]) -> list[int]:
    """Epoch ends without those that share a step with the epoch before."""
    return sorted(set(ends))
