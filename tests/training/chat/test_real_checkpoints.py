"""Real learning: a real checkpoint on real conversations, against the same architecture with random weights."""

from __future__ import annotations

from statistics import pstdev

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

MARGIN = 2.0
"""Nats per token; 2.5 to 2.7 were seen."""


@pytest.fixture
def random_start(shared_data, tmp_path):
    def make(name, seed):
        torch.manual_seed(seed)
        folder = tmp_path / f"random-{seed}"
        config = AutoModelForCausalLM.from_pretrained(shared_data / "models" / name).config
        AutoModelForCausalLM.from_config(config).save_pretrained(folder)
        AutoTokenizer.from_pretrained(shared_data / "models" / name).save_pretrained(folder)
        return folder

    return make


@pytest.mark.slow
def test_a_pretrained_checkpoint_ends_far_below_a_random_start(train, random_start, shared_data, tmp_path):
    margins = []
    for seed in (1, 2, 3):
        best = {}
        starts = {"real": shared_data / "models" / "stories260K-hf", "random": random_start("stories260K-hf", seed)}
        for start, base in starts.items():
            _, trained = train(
                train_file=shared_data / "chat" / "azure-qa-train.jsonl",
                eval_file=shared_data / "chat" / "azure-qa-eval.jsonl",
                base_model=str(base), seed=seed, save_to=tmp_path / f"{start}-{seed}",
                learning_rate=2e-3, batch_size=16, max_length=256,
            )  # fmt: skip
            best[start] = trained.history["best_validation_loss"]
            assert best[start] < trained.history["validation_loss_before"] - 1
        margins.append(best["random"] - best["real"])

    assert min(margins) > MARGIN
    assert pstdev(margins) < 0.2
