"""The model folder and the adapter folder, each loaded again in a new process and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from fixtures.contracts.errors import UserError
from fixtures.conversations.files import Conversation
from training.adapters import is_quantized
from training.chat.fine_tuning import Trained
from training.chat.task import Task
from training.export import empty_folder, refuse_infinite, save_model
from training.reload import check_logits

__all__ = ["save"]

PROBES = 4
"""Conversations whose logits are compared before and after saving."""

PROBE_TOKENS = 256
"""Of each, where the assistant is to speak first: the last so many before it."""

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
    for messages, tools in request["prompts"]:
        ids = tokenizer.apply_chat_template(messages, tools=tools, add_generation_prompt=True)["input_ids"]
        logits.append(model(input_ids=torch.tensor([ids[-request["tokens"]:]])).logits[0, -1].tolist())
print(json.dumps(logits))
"""


def save(trained: Trained, task: Task) -> list[Path]:
    """Save what was asked for; returns the folders. A manifest is still missing in them.

    Raises TrainingFailed when a folder does not answer as the trained model
    does, UserError when it cannot be written.
    """
    settings, folders = task.settings, []
    prompts = [_prompt(conversation) for conversation in task.sources.validation[:PROBES]]
    expected = _logits(trained.model, task, prompts)
    request: dict[str, Any] = {"prompts": prompts, "tokens": _probe_tokens(task), "adapter_of": None}
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


def _prompt(conversation: Conversation) -> tuple[list[dict[str, Any]], Any]:
    """A conversation up to where the assistant speaks first."""
    roles = [turn["role"] for turn in conversation.messages]
    return conversation.messages[: roles.index("assistant")], conversation.tools


def _probe_tokens(task: Task) -> int:
    return min(PROBE_TOKENS, task.max_length)


@torch.inference_mode()
def _logits(model: Any, task: Task, prompts: list[tuple[list[dict[str, Any]], Any]]) -> np.ndarray:
    """What the trained model says first in answer, in float32."""
    rows = []
    for messages, tools in prompts:
        text = task.template.text(messages, tools, prompt=True)
        ids = task.base.tokenizer(text, add_special_tokens=False)["input_ids"][-_probe_tokens(task) :]
        logits = model(input_ids=torch.tensor([ids], device=task.device)).logits[0, -1]
        rows.append(logits.float().cpu().numpy())
    return np.stack(rows)


def _save_adapter(model: Any, task: Task, folder: Path) -> None:
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


def _tell(folder: Path, difference: float, task: Task) -> None:
    task.console.print(f"saved to {folder}; loaded again in a new process, logits differ by {difference:.1g} at most")
