"""The model folder and the adapter folder, each loaded again in a new process and compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from fixtures.contracts.errors import UserError
from training.adapters import is_quantized
from training.causal.fine_tuning import Trained
from training.causal.task import CausalTask
from training.export import empty_folder, refuse_infinite, save_model
from training.reload import check_logits

__all__ = ["PROBES", "Probe", "save"]

PROBES = 4
"""Texts whose logits are compared before and after saving."""

PROBE_TOKENS = 256
"""Of each, the last so many."""

TOLERANCE = 1e-4
"""Of the largest logit, or of 1: float32 sums in another order stay ten times below."""

# Spelled out here, and not one of our functions: what it must not do is to share our code.
_PROBE = """
import json, sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
folder, request = sys.argv[1], json.load(sys.stdin)
tokenizer = AutoTokenizer.from_pretrained(folder)
if request["adapter_of"] is None:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
else:
    from peft import PeftModel
    options = dict(request["options"])
    if request["quantization"]:
        from transformers import BitsAndBytesConfig
        options["quantization_config"] = BitsAndBytesConfig.from_dict(request["quantization"])
        options["device_map"] = {"": "cpu"}
    model = AutoModelForCausalLM.from_pretrained(request["adapter_of"], dtype=torch.float32, **options)
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    model = PeftModel.from_pretrained(model, folder)
model = model.eval()
with torch.inference_mode():
    logits = []
    for prompt in request["prompts"]:
        if "text" in prompt:
            ids = tokenizer(prompt["text"])["input_ids"]
        else:
            ids = tokenizer.apply_chat_template(**prompt, add_generation_prompt=True)["input_ids"]
        logits.append(model(input_ids=torch.tensor([ids[-request["tokens"]:]])).logits[0, -1].tolist())
print(json.dumps(logits))
"""


class Probe(NamedTuple):
    """A text that a model is to go on with: its tokens here, and what another process makes tokens of.

    ``prompt`` is ``{"text": ...}``, or messages and tools for the chat template.
    """

    ids: list[int]
    prompt: dict[str, Any]


def save(trained: Trained, task: CausalTask, probes: Sequence[Probe]) -> list[Path]:
    """Save what was asked for; returns the folders. A manifest is still missing in them.

    Raises TrainingFailed when a folder does not answer as the trained model
    does, UserError when it cannot be written.
    """
    settings, folders = task.settings, []
    tokens = min(PROBE_TOKENS, task.max_length)
    expected = _logits(trained.model, [probe.ids[-tokens:] for probe in probes])
    request: dict[str, Any] = {"prompts": [probe.prompt for probe in probes], "tokens": tokens, "adapter_of": None}
    tolerance = TOLERANCE * max(1.0, float(np.abs(expected).max()))
    if settings.save in ("adapter", "both"):
        folder = settings.save_to / "adapter"
        _save_adapter(trained.model, task, folder)
        folders.append(folder)
        of_base = {
            "adapter_of": task.base.source,
            "options": {"revision": task.base.revision} if task.base.revision else {},
            "quantization": _quantization(trained.model),
        }
        difference = check_logits(_PROBE, folder, request | of_base, expected, tolerance=tolerance)
        _tell(folder, difference, task)
    if settings.save in ("merged", "both"):
        folder = settings.save_to / "model"
        save_model(trained.merged(task), task.base.tokenizer, folder)
        folders.append(folder)
        _tell(folder, check_logits(_PROBE, folder, request, expected, tolerance=tolerance), task)
    return folders


@torch.inference_mode()
def _logits(model: Any, rows: Sequence[list[int]]) -> np.ndarray:
    """What the trained model says next, in float32."""
    found = [model(input_ids=torch.tensor([ids], device=model.device)).logits[0, -1] for ids in rows]
    return np.stack([logits.float().cpu().numpy() for logits in found])


def _save_adapter(model: Any, task: CausalTask, folder: Path) -> None:
    refuse_infinite(model)
    try:
        empty_folder(folder)
        # "auto" would ask the hub whether the embeddings were changed.
        model.save_pretrained(folder, save_embedding_layers=False)
        task.base.tokenizer.save_pretrained(folder)
    except Exception as error:
        # torch, safetensors and json each have their own error for a full disk.
        raise UserError(f"cannot write the adapter to {folder}: {str(error).splitlines()[0]}") from error


def _quantization(model: Any) -> dict[str, Any] | None:
    """How to load the base in 4 bits again, to compute in float32; None where it is not in 4 bits."""
    base = model.get_base_model()
    if not any(is_quantized(module) for module in base.modules()):
        return None
    config: dict[str, Any] = base.config.quantization_config.to_dict()
    return config | {"bnb_4bit_compute_dtype": "float32"}


def _tell(folder: Path, difference: float, task: CausalTask) -> None:
    task.console.print(f"saved to {folder}; loaded again in a new process, logits differ by {difference:.1g} at most")
