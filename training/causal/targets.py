"""Which layers get LoRA, by the names that this model has for them.

peft takes names that fit nothing without a word as long as one fits. Of the
workshop's seven, Phi-3.5 has two: its q, k and v are one layer, and so are
gate and up. LoRA would have been left out of most of the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import nn
from transformers.pytorch_utils import Conv1D

from fixtures.contracts.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["resolve_targets"]

# Llama's names, and what Phi-3 and GPT-2 have in their place.
_ALSO_CALLED = {
    "q_proj": ("qkv_proj", "c_attn"),
    "k_proj": ("qkv_proj", "c_attn"),
    "v_proj": ("qkv_proj", "c_attn"),
    "o_proj": ("c_proj",),
    "gate_proj": ("gate_up_proj", "c_fc"),
    "up_proj": ("gate_up_proj", "c_fc"),
    "down_proj": ("c_proj",),
}


def resolve_targets(model: PreTrainedModel, wanted: Sequence[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """The names to give to peft, and those that stand for others.

    Raises UserError for names that no linear layer but the output layer has.
    """
    output = model.get_output_embeddings()
    layers = [
        name
        for name, module in model.named_modules()
        if isinstance(module, (nn.Linear, Conv1D)) and module is not output
    ]
    replaced: dict[str, str] = {}
    unknown: list[str] = []
    for name in wanted:
        if _found(name, layers):
            continue
        other = next((other for other in _ALSO_CALLED.get(name, ()) if _found(other, layers)), None)
        if other is None:
            unknown.append(name)
        else:
            replaced[name] = other
    if unknown:
        known = sorted({layer.rsplit(".", 1)[-1] for layer in layers})
        raise UserError(
            f"--lora-target-modules: the model has no layer {' and no '.join(unknown)}\n"
            f"  it has: {', '.join(known)} (or all-linear)"
        )
    return tuple(dict.fromkeys(replaced.get(name, name) for name in wanted)), replaced


def _found(name: str, layers: Sequence[str]) -> bool:
    return any(layer == name or layer.endswith(f".{name}") for layer in layers)
