"""What the model under test answered, from a file or from the model itself.

The model predicts each text once: answers are appended to a file in
``<save-to>/predictions-cache`` batch by batch, keyed by the digests of model
and text, and found there by the next run, also after a kill.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.settings import Settings
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import sha256_file, write_jsonl
from fixtures.contracts.manifest import MANIFEST, Manifest, verify_model_folder
from fixtures.datasets import Document

__all__ = [
    "ModelUnderTest",
    "Prediction",
    "cached_predictions",
    "open_model",
    "predict",
    "read_predictions",
    "write_predictions",
]


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer. ``score`` is the model's probability for it, if known."""

    predicted: str
    score: float | None = None


@dataclass(frozen=True)
class ModelUnderTest:
    """A verified model folder: where, what its manifest says, and its digest."""

    path: Path
    manifest: Manifest
    digest: str


def open_model(settings: Settings) -> ModelUnderTest:
    """Verify the model folder without loading its weights. Raises UserError."""
    path = settings.model_path
    if not path.is_dir() and "model_path" not in settings.model_fields_set:
        raise UserError(
            f"no model at {path}: train one with `python -m training classify --dataset embedded "
            "--base-model embedded:minilm --save-to out` and pass --model-path out/model, or pass --predictions FILE"
        )
    if path.is_dir() and not (path / MANIFEST).is_file() and settings.allow_unmanifested:
        return _unmanifested(path)
    manifest, digest = verify_model_folder(path)
    if manifest.task != "text-classification":
        raise UserError(f"{path}: its manifest says task {manifest.task}; only text-classification is evaluated here")
    return ModelUnderTest(path, manifest, digest)


def _unmanifested(path: Path) -> ModelUnderTest:
    """A foreign folder: labels from its config, digest over its files."""
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
        labels = tuple(config["id2label"][key] for key in sorted(config["id2label"], key=int))
        positions = config.get("max_position_embeddings") or config.get("n_positions") or 512
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise UserError(f"{path}/config.json does not describe a classifier with id2label: {error!r}") from error
    digests = [f"{file.name} {sha256_file(file)}" for file in sorted(path.iterdir()) if file.is_file()]
    manifest = Manifest(
        base_model=str(path),
        labels=labels,
        prompt_template="{text}",
        max_length=min(int(positions), 1024),
        dataset={},
        settings={},
        seed=0,
        versions={},
        metrics={},
    )
    return ModelUnderTest(path, manifest, hashlib.sha256("\n".join(digests).encode()).hexdigest())


def read_predictions(path: Path, split: Sequence[Document], drawn: Sequence[Document]) -> dict[str, Prediction]:
    """The predictions of a file for the drawn documents, by sample id.

    Raises UserError, naming the line, for ids that the test split does not
    have, duplicate ids, an ``expected`` or ``digest`` that differs from the
    data set's, and drawn samples without a prediction.
    """
    known = {document.id: document for document in split}
    answers: dict[str, Prediction] = {}
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read predictions {path}: {getattr(error, 'strerror', None) or error}") from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            identifier, answer = _parse(f"{path}:{number}", line, known)
            if identifier in answers:
                raise UserError(f'{path}:{number}: sample "{identifier}" is predicted twice')
            answers[identifier] = answer
    missing = [document.id for document in drawn if document.id not in answers]
    if missing:
        raise UserError(
            f"{path}: {len(missing)} of {len(drawn)} drawn samples have no prediction, e.g. {', '.join(missing[:3])}\n"
            "  `python -m evals samples` with the same --dataset, --num-samples and --seed lists what is drawn"
        )
    return {document.id: answers[document.id] for document in drawn}


def _parse(place: str, line: str, known: dict[str, Document]) -> tuple[str, Prediction]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise UserError(f"{place}: not valid JSON: {error.msg}") from error
    if not isinstance(row, dict) or not isinstance(row.get("id"), str) or not isinstance(row.get("predicted"), str):
        raise UserError(f'{place}: an object with the strings "id" and "predicted" is needed')
    document = known.get(row["id"])
    if document is None:
        raise UserError(f'{place}: the data set\'s test split has no sample "{row["id"]}"')
    if row.get("expected", document.label) != document.label:
        raise UserError(f'{place}: expects "{row["expected"]}", but the data set says "{document.label}"')
    if row.get("digest", document.digest) != document.digest:
        raise UserError(f"{place}: was made for another text than the data set's: the digests differ")
    score = row.get("score")
    if score is not None and (isinstance(score, bool) or not isinstance(score, (int, float)) or not 0 <= score <= 1):
        raise UserError(f"{place}: score is {score!r}; a number from 0 to 1 is needed")
    return row["id"], Prediction(row["predicted"], score)


def write_predictions(path: Path, documents: Iterable[Document], predictions: dict[str, Prediction]) -> None:
    """Write ``predictions.jsonl``, atomically."""
    write_jsonl(
        path,
        (
            {
                "id": document.id,
                "expected": document.label,
                "predicted": predictions[document.id].predicted,
                "score": predictions[document.id].score,
                "digest": document.digest,
            }
            for document in documents
        ),
    )


def predict(
    model: ModelUnderTest, documents: Sequence[Document], settings: Settings, *, progress: Callable[[int], Any]
) -> dict[str, Prediction]:
    """Predictions for ``documents`` by sample id, from the cache where it has them.

    ``progress`` is told how many documents were answered since the last call.
    """
    cache = _cache_path(model, settings)
    answers = _read_cache(cache)
    todo = list({document.digest: document for document in documents if document.digest not in answers}.values())
    progress(len(documents) - len(todo))
    if todo:
        answers |= _run_model(model, todo, settings, cache, progress)
    return {document.id: answers[document.digest] for document in documents}


def cached_predictions(model: ModelUnderTest, settings: Settings) -> dict[str, Prediction]:
    """What the model answered in earlier runs, by text digest. Raises UserError."""
    return _read_cache(_cache_path(model, settings))


def _cache_path(model: ModelUnderTest, settings: Settings) -> Path:
    return settings.save_to / "predictions-cache" / f"{model.digest[:16]}-{settings.precision}.jsonl"


def _read_cache(cache: Path) -> dict[str, Prediction]:
    """Finished answers by text digest; a line torn by a kill is cut off.

    A damaged cache is a user error: what else in it is wrong cannot be known.
    """
    if not cache.is_file():
        return {}
    data = cache.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        with cache.open("r+b") as file:
            file.truncate(len(whole))
    try:
        rows = [json.loads(line) for line in whole.splitlines()]
        return {row["digest"]: Prediction(row["predicted"], row["score"]) for row in rows}
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"prediction cache {cache} is damaged; delete it and the model predicts anew") from error


def _run_model(
    model: ModelUnderTest,
    documents: Sequence[Document],
    settings: Settings,
    cache: Path,
    progress: Callable[[int], Any],
) -> dict[str, Prediction]:
    # Heavy imports here: predictions from a file need none of them.
    import numpy as np
    from scipy.special import softmax
    from transformers.utils import logging as transformers_logging

    from fixtures.contracts.inference import autocast_dtype, encode, iter_logits, load_classifier, resolve_device

    # Loading takes a second; its own bar would stand across ours.
    transformers_logging.disable_progress_bar()
    device = resolve_device(settings.device)
    classifier, tokenizer = load_classifier(model.path, device)
    manifest = model.manifest
    rows = encode(
        tokenizer,
        [document.text for document in documents],
        template=manifest.prompt_template,
        max_length=manifest.max_length,
    )
    answers: dict[str, Prediction] = {}
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        with cache.open("a", encoding="utf-8") as file:
            for batch, logits in iter_logits(
                classifier,
                rows,
                pad_token_id=tokenizer.pad_token_id,
                autocast=autocast_dtype(settings.precision, device),
            ):
                if not np.isfinite(logits).all():
                    raise UserError(f"model {model.path} answers NaN for sample {documents[batch[0]].id}")
                for index, probabilities in zip(batch, softmax(logits, axis=1), strict=True):
                    best = int(probabilities.argmax())
                    answer = Prediction(manifest.labels[best], round(float(probabilities[best]), 6))
                    answers[documents[index].digest] = answer
                    row = {"digest": documents[index].digest, "predicted": answer.predicted, "score": answer.score}
                    file.write(json.dumps(row) + "\n")
                file.flush()
                os.fsync(file.fileno())
                progress(len(batch))
    except OSError as error:
        raise UserError(f"cannot write {cache}: {error.strerror or error}") from error
    return answers
