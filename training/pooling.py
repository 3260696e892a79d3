"""Mean pooling, written as one more BERT layer.

Sentence-transformers models such as all-MiniLM-L6-v2 are trained so that the
*mean* of the token vectors tells what a text is about. The classifier that
transformers has for BERT reads the first token instead, through a pooler these
models do not have: their best part would be thrown away.

Yet a BERT layer can take a mean. Attention whose queries and keys are all zero
weighs all unmasked tokens alike; with the identity as value it yields the mean,
whatever the padding. Let ``GAIN`` make that dwarf the residual connection, and
the LayerNorm behind it gives the normalised mean (sentence-transformers divides
by the length instead: the same up to the mean over the dimensions). A
feed-forward part of zeros changes nothing. The pooler is a fraction of the
identity, small enough that its tanh is nearly straight.

So the saved folder stays a stock BERT that plain ``AutoModelFor...`` classes
load, and fine-tuning starts from the pooling the weights were made for. Price:
the compute of one layer. The zeros of query, key and feed-forward part stay
zero in training: each one's gradient is proportional to the other's value.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import nn
from transformers import BertForSequenceClassification, PreTrainedModel

__all__ = ["pools_by_mean", "set_pooling_layer", "with_pooling_layer"]

GAIN = 4096.0
"""How much the mean outweighs the residual: a power of two, so that bf16 keeps every digit."""

POOLER_SCALE = 0.5
"""A normalised vector has components of size 1; tanh of half of that is within 8 % of straight."""


def pools_by_mean(folder: Path) -> bool:
    """Whether ``folder`` is a sentence-transformers BERT that takes the mean of the tokens."""
    try:
        pooling = json.loads((folder / "1_Pooling" / "config.json").read_text(encoding="utf-8"))
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return config.get("model_type") == "bert" and pooling.get("pooling_mode_mean_tokens") is True


def with_pooling_layer(layers: int) -> dict[str, int]:
    """The change to the configuration: one layer more than the ``layers`` that were trained."""
    return {"num_hidden_layers": layers + 1}


@torch.no_grad()
def set_pooling_layer(model: PreTrainedModel) -> None:
    """Turn the last layer and the pooler of a BERT classifier into mean pooling, in place."""
    assert isinstance(model, BertForSequenceClassification)
    layer, pooler = model.bert.encoder.layer[-1], model.bert.pooler
    for part in layer.modules():
        if isinstance(part, nn.Linear):
            part.weight.zero_()
            part.bias.zero_()
        elif isinstance(part, nn.LayerNorm):
            part.weight.fill_(1)
            part.bias.zero_()
    nn.init.eye_(layer.attention.self.value.weight)
    layer.attention.output.dense.weight.copy_(GAIN * torch.eye(model.config.hidden_size))
    pooler.dense.weight.copy_(POOLER_SCALE * torch.eye(model.config.hidden_size))
    pooler.dense.bias.zero_()
