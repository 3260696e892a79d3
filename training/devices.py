"""The number format of the forward pass, on the device at hand."""

from __future__ import annotations

import torch

from fixtures.contracts.errors import UserError
from training.settings import Precision

__all__ = ["autocast_type"]

_TYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


def autocast_type(precision: Precision, device: torch.device) -> torch.dtype | None:
    """The type to compute in beside float32 weights, or None for float32 throughout.

    ``auto`` is bf16 where the hardware multiplies it, else fp16 on a GPU, else
    float32. Raises UserError for a combination that cannot work.
    """
    if precision == "fp16" and device.type == "cpu":
        raise UserError("--precision fp16 on a CPU is ten times slower than fp32 and unstable; use bf16 or fp32")
    if precision != "auto":
        return _TYPES[precision]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if device.type == "cpu" and _cpu_multiplies_bf16():
        return torch.bfloat16
    return None


def _cpu_multiplies_bf16() -> bool:
    # oneDNN takes bf16 on any CPU with AVX-512 and is slow without these instructions.
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
