"""A chat model in a folder: verified before anything heavy is imported, loaded when it is asked."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evals.candidates.base import Finished
from evals.candidates.settings import CandidateSettings
from evals.candidates.specs import CandidateSpec
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import sha256_folder
from fixtures.contracts.manifest import MANIFEST, verify_model_folder
from fixtures.conversations.rows import ChatRow

if TYPE_CHECKING:
    from evals.candidates.generation import ChatModel

__all__ = ["Folder", "open_folder"]

DECODING = 1
"""Version of how answers are made; kept ones of another version are not found again."""
_HUB_FILES = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")


class Folder:
    """See `evals.candidates.base.Source`. ``model`` is a digest of what is in the folder."""

    notes: Sequence[str] = ()

    def __init__(self, path: Path, model: str, settings: CandidateSettings) -> None:
        self.identity: Mapping[str, Any] = {
            "model": model,
            "precision": settings.precision,
            "decoding": DECODING,
        }
        self._path = path
        self._settings = settings
        self._loaded: ChatModel | None = None

    def ask(
        self, rows: Sequence[ChatRow], finished: Finished, *, seed: int, stream: Callable[[str], Any] | None = None
    ) -> None:
        """Answer all rows, the longest first. Raises UserError for a model that cannot be loaded."""
        from evals.candidates.generation import ChatModel

        if self._loaded is None:
            self._loaded = ChatModel(self._path, self._settings)
        self._loaded.answer(rows, finished, seed=seed, stream=stream)

    def close(self) -> None:
        """Let go of the model."""
        self._loaded = None


def open_folder(spec: CandidateSpec, settings: CandidateSettings) -> Folder:
    """The folder, verified by its manifest; with ``hf:`` or --allow-unmanifested by what a model needs."""
    missing = [package for package in ("torch", "transformers") if importlib.util.find_spec(package) is None]
    if missing:
        raise UserError(f'candidate {spec.text} needs {" and ".join(missing)}: pip install "newsjudge[train]"')
    path = _fetched(spec.target) if spec.kind == "hf" else Path(spec.target)
    _refuse_adapter(path)
    if spec.kind == "hf" or (settings.allow_unmanifested and not (path / MANIFEST).is_file()):
        digest = _foreign(path)
    else:
        manifest, digest = verify_model_folder(path)
        if manifest.task != "chat":
            raise UserError(f"{path}: its {MANIFEST} says task {manifest.task}; a candidate must be a chat model")
    _refuse_without_template(path)
    return Folder(path, digest, settings)


def _fetched(target: str) -> Path:
    """The folder, or a model of the hub: from the cache, else downloaded, for the user named it."""
    folder = Path(target).expanduser()
    if folder.is_dir():
        return folder
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(target, allow_patterns=_HUB_FILES))
    except Exception as error:  # The hub's client has an error of its own for each way to fail.
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"candidate hf:{target}: no such folder, and not from the hub either: {reason}") from error


def _refuse_adapter(path: Path) -> None:
    if (path / "adapter_config.json").is_file() and not (path / "config.json").is_file():
        raise UserError(
            f"{path} holds only an adapter: train with --save merged or --save both, or serve it beside its base and "
            "name it endpoint:MODEL@URL"
        )


def _foreign(path: Path) -> str:
    if not (path / "config.json").is_file():
        raise UserError(f"{path} has no config.json, so it holds no model")
    return sha256_folder(path)


def _refuse_without_template(path: Path) -> None:
    """Early: the tokenizer would tell only after the model's weights were read."""
    if (path / "chat_template.jinja").is_file() or (path / "chat_template.json").is_file():
        return
    try:
        config = json.loads((path / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        config = {}
    if not (isinstance(config, dict) and config.get("chat_template")):
        raise UserError(
            f"{path} has no chat template, so it is not known how it wants to be asked: put a chat_template.jinja "
            "into it (`python -m training chat` saves one with each model)"
        )
