"""Curves whose case is known because they were made so, and how often the verdict on them is right.

``python -m tests.training.diagnosis.synthetic`` prints the table of docs/curves.md.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator
from itertools import product

import numpy as np

from training.diagnosis import Curves, Kind, Measure, Series, judge

RIGHT = {
    "settled": Kind.HEALTHY,
    "settled, training still falls": Kind.HEALTHY,
    "turned early": Kind.OVERFITTING,
    "turned late": Kind.OVERFITTING,
    "learnt by heart": Kind.OVERFITTING,
    "never learnt": Kind.UNDERFITTING,
    "not finished": Kind.UNDERFITTING,
}

PRECISE, NOISY = 0.005, 0.03
"""Noise as a share of the loss at the start: of a loss on all validation data, and on batches of it."""


def made(shape: str, points: int, noise: float, kind: str, seed: int) -> Curves:
    """Curves of one shape, with random proportions and noise."""
    # hash() of a text differs from process to process.
    random = np.random.default_rng([seed, points, zlib.crc32(f"{shape} {kind}".encode())])
    train, validation = _clean(shape, np.linspace(1 / points, 1, points), random)
    scale = noise * train[0]
    steps = tuple(range(10, 10 * points + 1, 10))
    noisy = [np.maximum(curve + scale * _noise(kind, points, random), 0) for curve in (train, validation)]
    series = [Series(name, steps, tuple(curve.tolist())) for name, curve in zip("tv", noisy, strict=True)]
    return Curves("made", {Measure.TRAIN_LOSS: series[0], Measure.FULL_VALIDATION_LOSS: series[1]})


def counts(shape: str, points: int, noise: float, seeds: int) -> Counter[Kind]:
    """What is said of curves of one shape, under three kinds of noise."""
    kinds = product(("normal", "spikes", "alike"), range(seeds))
    return Counter(judge(made(shape, points, noise, kind, seed)).kind for kind, seed in kinds)


def _clean(shape: str, t: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    start, share = random.uniform(0.8, 3), random.uniform(0.3, 0.9)
    drop = share * start
    fast = np.exp(-t * random.uniform(5, 12))
    settled = start - drop + drop * fast
    diligent = 0.5 * (start - drop) + (start - 0.5 * (start - drop)) * np.exp(-t / random.uniform(0.15, 0.4))
    match shape:
        case "settled":
            return settled, settled + random.uniform(0, 0.25) * drop * (1 - fast)
        case "settled, training still falls":
            return settled - random.uniform(0.05, 0.2) * drop * t, settled
        case "turned early" | "turned late":
            turn = random.uniform(0.1, 0.6) if shape == "turned early" else random.uniform(0.6, 0.85)
            return diligent, settled + random.uniform(0.3, 1) * drop * np.maximum(0, t - turn) / (1 - turn)
        case "learnt by heart":
            return start * (0.02 + 0.98 * fast), start * (1 - random.uniform(0, 0.15) * (1 - fast))
        case "never learnt":
            flat = start * (1 - random.uniform(0, 0.02) * t)
            return flat, flat + random.uniform(0, 0.1)
        case "not finished":
            slow = start - drop + drop * np.exp(-t * random.uniform(0.3, 1.2))
            return slow, slow + random.uniform(0, 0.1) * drop * t
    raise ValueError(shape)


def _noise(kind: str, points: int, random: np.random.Generator) -> np.ndarray:
    """Of standard deviation 1: independent, with heavy tails, or like that of its neighbour."""
    if kind == "spikes":
        return random.standard_t(3, points) / 3**0.5
    values = random.normal(size=points)
    if kind == "alike":
        for index in range(1, points):
            values[index] = 0.5 * values[index - 1] + 0.75**0.5 * values[index]
    return values


def _table(seeds: int) -> Iterator[str]:
    sizes = tuple(product((PRECISE, NOISY), (8, 12, 20, 60)))
    yield "| right / wrong, % | " + " | ".join(f"{points} points, {noise:.1%}" for noise, points in sizes) + " |"
    yield "| --- |" + " ---: |" * len(sizes)
    for shape, right in RIGHT.items():
        cells = []
        for noise, points in sizes:
            said = counts(shape, points, noise, seeds)
            wrong = said.total() - said[right] - said[Kind.CANNOT_TELL]
            cells.append(f"{said[right] / said.total():.0%} / {wrong / said.total():.1%}".replace("%", ""))
        yield f"| {shape} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    for line in _table(seeds=100):
        print(line, flush=True)
