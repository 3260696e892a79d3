"""Where a local judge's model is, and what can be said of it before it is loaded."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.settings import JudgeSettings
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import sha256_file, sha256_text

__all__ = ["Checkpoint", "find_checkpoint"]

_NEEDED = ("torch", "transformers", "llguidance")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
_CAUSAL = re.compile(r"(ForCausalLM|LMHeadModel|ForConditionalGeneration)$")
# Whatever decides an answer; not the read-me beside it, nor our manifest with its times and paths.
_PARTS = ("*.safetensors", "*.index.json", "pytorch_model*.bin", "config.json", "tokenizer*", "*.model")
_MORE_PARTS = ("special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt", "chat_template*")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model to be loaded."""

    name: str
    """As the user calls it."""
    source: str
    """Folder, or id on the hub."""
    revision: str | None
    local: bool
    identity: str
    """What it is: a digest of a folder's files wherever it lies, or id and revision."""
    device: str
    dtype: str


def find_checkpoint(spec: str, settings: JudgeSettings) -> Checkpoint:
    """The model of ``hf:PATH_OR_ID``, looked at but not loaded. Raises UserError."""
    name = spec.removeprefix("hf:")
    missing = [package for package in _NEEDED if importlib.util.find_spec(package) is None]
    if missing:
        raise UserError(f'--judge {spec} needs {" and ".join(missing)}: pip install "newsjudge[judge-hf]"')
    if not re.fullmatch(r"auto|cpu|cuda(:[0-9]+)?", settings.judge_device):
        raise UserError(f"--judge-device {settings.judge_device}: must be auto, cpu, cuda or cuda:N")
    device = settings.judge_device
    if device == "auto":
        device = "cuda" if _has_gpu() else "cpu"
    # On a CPU bfloat16 is slow or rounds differently from one machine to the next.
    dtype = "float32" if device == "cpu" else "bfloat16"
    folder = Path(name).expanduser()
    if folder.is_dir():
        _check_folder(spec, folder, settings.judge_max_tokens)
        return Checkpoint(name, str(folder), None, True, _digest(folder), device, dtype)
    if folder.exists() or not _HUB_ID.fullmatch(name):
        raise UserError(f"--judge {spec}: {folder} is not a folder; name a model's folder, or its id on the hub")
    revision = settings.judge_revision or "main"
    offline = _is_offline()
    if offline and not _in_cache(name, revision):
        raise UserError(
            f"--judge {spec}: there is no folder {name}, and the hub's model of that name is not in the cache "
            "while HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set"
        )
    return Checkpoint(name, name, revision, offline, f"{name}@{revision}", device, dtype)


def _check_folder(spec: str, folder: Path, max_tokens: int) -> None:
    path = folder / "config.json"
    if (folder / "adapter_config.json").is_file() and not path.is_file():
        raise UserError(f"--judge {spec}: {folder} holds only an adapter; merge it into its base model first")
    if not path.is_file():
        raise UserError(f"--judge {spec}: {folder} has no config.json, so it holds no model")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"--judge {spec}: cannot read {path}: {error}") from error
    if not isinstance(config, dict):
        raise UserError(f"--judge {spec}: {path} is not a JSON object")
    architectures = [str(architecture) for architecture in config.get("architectures") or []]
    if architectures and not any(_CAUSAL.search(architecture) for architecture in architectures):
        raise UserError(f"--judge {spec}: {folder} is a {architectures[0]}; a judge must be a causal language model")
    context = _context(config)
    if context is not None and max_tokens >= context:
        raise UserError(
            f"--judge {spec}: --judge-max-tokens {max_tokens} leaves no room for a question "
            f"in the model's context of {context} tokens"
        )


def _context(config: Mapping[str, Any]) -> int | None:
    sizes = (config.get(key) for key in ("max_position_embeddings", "n_positions"))
    return next((size for size in sizes if isinstance(size, int)), None)


def _digest(folder: Path) -> str:
    """One digest over the files that decide an answer, whatever the folder is called."""
    files = {path for pattern in (*_PARTS, *_MORE_PARTS) for path in folder.glob(pattern) if path.is_file()}
    return sha256_text("".join(f"{path.name} {sha256_file(path)}\n" for path in sorted(files)))


def _has_gpu() -> bool:
    """Whether a GPU is to be expected; asking PyTorch would import it, which takes seconds."""
    return "+cpu" not in importlib.metadata.version("torch") and any(
        Path(device).exists() for device in ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
    )


def _is_offline() -> bool:
    flags = (os.environ.get(name, "") for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))
    return any(flag.upper() in ("1", "ON", "YES", "TRUE") for flag in flags)


def _in_cache(name: str, revision: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(name, "config.json", revision=revision), str)
