"""Training nothing but the last layer.

With few documents per category this is the best one can do, and with many it
is a good start: a random head sends its first, meaningless gradients through
the pretrained weights and damages them (Kumar et al. 2022, arXiv:2202.10054,
"Fine-tuning can distort pretrained features": probe first, then fine-tune).

The last layer is a linear one in every classifier of transformers, so logistic
regression on what goes into it can be written back as its weights exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn
from transformers import PreTrainedModel

from fixtures.contracts.errors import UserError
from fixtures.contracts.inference import predict_logits
from training.measures import cross_entropy

__all__ = ["STRENGTHS", "Documents", "fit_head"]

GENTLE = 0.01
"""As a start for fine-tuning: good, but not so sure of itself that no gradient is left to learn from."""

STRENGTHS = (1.0, 0.1, 0.01, 0.001)
"""What is tried when the last layer is all that is trained."""


class Documents(NamedTuple):
    """Token ids of documents and their label indices."""

    rows: Sequence[Sequence[int]]
    targets: Sequence[int]


@torch.no_grad()
def fit_head(
    model: PreTrainedModel,
    train: Documents,
    *,
    strengths: Sequence[float] = (GENTLE,),
    choose_on: Documents | None = None,
    budget: int,
    autocast: torch.dtype | None = None,
) -> float:
    """Fit the last layer of ``model`` to ``train``, in place; all else stays as it is.

    ``strengths`` are inverses of the L2 penalty on standardised features, as
    scikit-learn's ``C``; of several, the one with the lowest loss on
    ``choose_on`` is taken and returned. ``budget`` is in tokens per batch.
    Raises UserError when the model has no linear head.
    """
    name, layer = _last_layer(model)

    def features(rows: Sequence[Sequence[int]]) -> np.ndarray:
        found = predict_logits(
            model.eval(), rows, pad_token_id=model.config.pad_token_id, budget=budget, autocast=autocast
        )
        if not np.isfinite(found).all():
            raise UserError(f"base model {model.config.name_or_path}: it answers with NaN or infinite values")
        return found.astype(np.float64)

    # With the identity in its place, the "logits" are what the layer would see: first token, last
    # token or mean, whatever this architecture looks at.
    model.set_submodule(name, nn.Identity())
    try:
        seen = features(train.rows)
        unseen = features(choose_on.rows) if choose_on else None
    finally:
        model.set_submodule(name, layer)
    candidates = [(*_regression(seen, train.targets, strength, layer), strength) for strength in strengths]
    if choose_on is not None and unseen is not None:
        candidates.sort(key=lambda one: cross_entropy(choose_on.targets, unseen @ one[0].T + one[1]))
    weight, bias, strength = candidates[0]
    layer.weight.copy_(torch.from_numpy(weight))
    if layer.bias is not None:
        layer.bias.copy_(torch.from_numpy(bias))
    return strength


def _regression(
    features: np.ndarray, targets: Sequence[int], strength: float, layer: nn.Linear
) -> tuple[np.ndarray, np.ndarray]:
    """Weight (labels x features) and bias of a linear layer that predicts ``targets``."""
    with_bias = layer.bias is not None
    centre = features.mean(axis=0) if with_bias else np.zeros(features.shape[1])
    spread = features.std(axis=0) + 1e-6
    # A decoder has a few dimensions a hundred times larger than the others: on one scale, all can count.
    regression = LogisticRegression(C=strength, fit_intercept=with_bias, max_iter=500)
    regression.fit((features - centre) / spread, targets)
    weight, bias = regression.coef_, regression.intercept_
    if layer.out_features == 2:
        # scikit-learn keeps one row for two classes: the difference between both.
        weight, bias = np.vstack([-weight / 2, weight / 2]), np.array([-bias[0] / 2, bias[0] / 2])
    weight = weight / spread
    return weight, np.broadcast_to(bias, layer.out_features) - weight @ centre


def _last_layer(model: PreTrainedModel) -> tuple[str, nn.Linear]:
    found = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
        and module.out_features == model.config.num_labels
        and not name.startswith(f"{model.base_model_prefix}.")
    ]
    if len(found) != 1:
        raise UserError(f"{type(model).__name__} has no single linear layer as its head; use --method lora or full")
    return found[0]
