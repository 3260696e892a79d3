"""LoRA and QLoRA: put on, checked, and merged again.

LoRA (Hu et al. 2021, arXiv:2106.09685) trains two small matrices beside each
frozen weight; QLoRA (Dettmers et al. 2023, arXiv:2305.14314) does so beside
weights kept in 4 bits, NF4 with double quantization.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from torch import nn
from transformers import BitsAndBytesConfig, PreTrainedModel
from transformers.pytorch_utils import Conv1D

from fixtures.contracts.errors import UserError
from training.base_models import BaseModel
from training.errors import TrainingFailed

__all__ = [
    "LoraSettings",
    "check_gradients",
    "compute_exactly",
    "is_quantized",
    "load_quantized",
    "merged",
    "train_in_float32",
    "with_lora",
]


class LoraSettings(Protocol):
    """What LoRA is to be like. No target modules: every linear layer of the backbone."""

    @property
    def lora_rank(self) -> int:
        """Columns of the small matrices."""

    @property
    def lora_alpha(self) -> float:
        """The scale times the rank."""

    @property
    def lora_dropout(self) -> float:
        """Dropout on the input."""

    @property
    def lora_target_modules(self) -> tuple[str, ...]:
        """Names of layers, or ends of them."""


def load_quantized(base: BaseModel, device: torch.device, compute: torch.dtype) -> PreTrainedModel:
    """The base model with its linear layers in NF4; ``compute`` is the type they are multiplied in."""
    try:
        import bitsandbytes  # noqa: F401
    except ImportError as error:
        raise UserError('--method qlora needs bitsandbytes: pip install "newsjudge[qlora]"') from error
    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,
        llm_int8_skip_modules=_not_quantized(base),
    )
    try:
        model = base.load(quantization_config=config, device_map={"": device})
    except (ImportError, RuntimeError, ValueError) as error:
        raise UserError(f"--method qlora does not work here with {base.name}: {str(error).splitlines()[0]}") from error
    if not any(is_quantized(module) for module in model.modules()):
        raise UserError(f"--method qlora: {base.name} has no linear layers to keep in 4 bits; use --method lora")
    _keep_autograd(model)
    return model


def with_lora(model: PreTrainedModel, base: BaseModel, settings: LoraSettings) -> PeftModel:
    """The model with frozen weights, LoRA beside them, and a trainable head."""
    targets = list(settings.lora_target_modules) or _backbone_layers(model, base)
    config = LoraConfig(
        # A classifier's type is what makes peft train and save the head as well.
        task_type=base.peft_task,
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,  # a ratio, used as a float
        lora_dropout=settings.lora_dropout,
        target_modules=targets,
        bias="none",
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.modules()),
    )
    try:
        return get_peft_model(model, config)
    except ValueError as error:
        raise UserError(f"--lora-target-modules {','.join(targets)}: {str(error).splitlines()[0]}") from error


def check_gradients(model: nn.Module) -> None:
    """Fail if a trainable parameter gets no gradient. Call it after a backward pass.

    bitsandbytes may re-pack 4-bit weights for inference in a way that cuts the
    gradient; training would go on and learn nothing but the head.
    """
    dead = [name for name, parameter in model.named_parameters() if parameter.requires_grad and parameter.grad is None]
    if dead:
        raise TrainingFailed(f"{len(dead)} trainable weights get no gradient, {dead[0]} among them")


def compute_exactly(model: nn.Module) -> None:
    """Make 4-bit layers multiply in float32: slower, but comparable with the merged model."""
    for module in model.modules():
        if is_quantized(module):
            module.compute_dtype = torch.float32


def train_in_float32(model: nn.Module) -> None:
    """Put what is trainable back into float32: trl makes bf16 of LoRA beside 4-bit weights, which rounds away steps."""
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def merged(trained: PeftModel, base: BaseModel, settings: LoraSettings) -> PreTrainedModel:
    """The trained adapter added to the weights it was trained beside, as a plain float32 model on the CPU.

    For QLoRA these are the *de-quantized* weights: the adapter has learned to
    make up for the rounding, and is off by far more on the original ones.
    """
    if not any(is_quantized(module) for module in trained.modules()):
        return trained.cpu().merge_and_unload()
    plain = base.load()
    _dequantize_into(plain, trained.get_base_model())
    again = with_lora(plain, base, settings)
    state = {name: tensor.detach().float().cpu() for name, tensor in get_peft_model_state_dict(trained).items()}
    set_peft_model_state_dict(again, state)
    return again.merge_and_unload()


@torch.no_grad()
def _dequantize_into(plain: nn.Module, quantized: nn.Module) -> None:
    from bitsandbytes.functional import dequantize_4bit

    wrapped = {name.replace(".base_layer", ""): module for name, module in quantized.named_modules()}
    for name, module in plain.named_modules():
        source = wrapped.get(name)
        if source is None or not is_quantized(source):
            continue
        weight = dequantize_4bit(source.weight.data, source.weight.quant_state).float().cpu()
        # GPT-2's Conv1D keeps its weight transposed; its 4-bit stand-in does not.
        module.weight.copy_(weight.T if isinstance(module, Conv1D) else weight)


def _backbone_layers(model: PreTrainedModel, base: BaseModel) -> list[str]:
    """Every linear layer but those of the head, and of a pooling layer, which is exact as it is."""
    backbone = getattr(model, model.base_model_prefix)
    skip = _pooling_modules(base)
    return [
        f"{model.base_model_prefix}.{name}"
        for name, module in backbone.named_modules()
        if isinstance(module, (nn.Linear, Conv1D))
        and not f"{model.base_model_prefix}.{name}.".startswith(tuple(f"{part}." for part in skip))
    ]


def _pooling_modules(base: BaseModel) -> list[str]:
    return [f"bert.encoder.layer.{base.config.num_hidden_layers - 1}", "bert.pooler"] if base.mean_pooling else []


def _not_quantized(base: BaseModel) -> list[str]:
    return ["classifier", "score", "pre_classifier", "lm_head", "embed_out", *_pooling_modules(base)]


def is_quantized(module: nn.Module) -> bool:
    """Whether a layer keeps its weight in 4 bits."""
    # By name: bitsandbytes is optional, and peft wraps the layers in classes of its own.
    return type(module).__name__ == "Linear4bit" and hasattr(getattr(module, "weight", None), "quant_state")


def _keep_autograd(model: nn.Module) -> None:
    """Forbid bitsandbytes to re-pack 4-bit weights on a CPU with AVX-512, which loses the gradient."""
    for module in _with_attribute(model, "support_avx512bf16_for_cpu"):
        module.support_avx512bf16_for_cpu = False


def _with_attribute(model: nn.Module, name: str) -> Iterable[Any]:
    return (module for module in model.modules() if hasattr(module, name))
