"""One evaluation: documents drawn, predicted, judged.

`prepare` finds every mistake of the user before any work starts; `evaluate`
does the work, once, for the samples that were selected.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from evals.judges import Judge, Judgement, open_judge
from evals.judging import Judging, judge_pairs
from evals.predictions import (
    ModelUnderTest,
    Prediction,
    open_model,
    predict,
    read_predictions,
    write_predictions,
)
from evals.samples import draw
from evals.settings import GatePolicy, Settings
from evals.statistics import wilson
from evals.verdicts import Verdict, VerdictStore
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import encodable, printable, sha256_file
from fixtures.datasets import Document, NewsDataset, load_dataset

__all__ = ["Evaluation", "Prepared", "Sample", "Stage", "State", "evaluate", "load_documents", "prepare"]

State = Literal["passed", "failed", "unscored"]
Stage = Callable[[str, int], Callable[[int], Any]]
"""Opens a stage of ``n`` steps with a title; what it returns is told of finished steps."""


@dataclass(frozen=True)
class Sample:
    """One document with the model's answer and the judge's verdict on it."""

    document: Document
    prediction: Prediction
    verdict: Verdict
    state: State


@dataclass(frozen=True)
class Prepared:
    """Validated inputs of an evaluation; nothing was predicted or judged yet."""

    settings: Settings
    policy: GatePolicy
    dataset: NewsDataset
    drawn: list[Document]
    model: ModelUnderTest | None
    predictions: dict[str, Prediction] | None
    judge: Judge
    notes: list[str]


@dataclass(frozen=True)
class Evaluation:
    """Everything a report needs."""

    settings: Settings
    policy: GatePolicy
    dataset: NewsDataset
    drawn: list[Document]
    model: ModelUnderTest | None
    predictions_digest: str
    judge: Judge
    judging: Judging
    samples: list[Sample]
    prediction_seconds: float
    started: datetime = field(default_factory=lambda: datetime.now(UTC))


def load_documents(settings: Settings, model: ModelUnderTest | None) -> tuple[NewsDataset, list[Document]]:
    """The data set's test split and the documents drawn from it.

    Without ``--dataset`` it is the one the model was trained on.
    """
    trained_on = model.manifest.dataset if model is not None else {}
    name = settings.dataset or trained_on.get("name", "20newsgroups")
    remove = settings.remove
    if remove is None:
        remove = tuple(trained_on.get("remove", ())) if name == trained_on.get("name") else ()
    dataset = load_dataset(name, remove=remove, splits=["test"])
    return dataset, draw(dataset.splits["test"], settings.num_samples, seed=settings.seed)


def prepare(settings: Settings, policy: GatePolicy, notes: Sequence[str] = ()) -> Prepared:
    """Open and check all inputs. Raises UserError before any work is done."""
    judge = open_judge(settings)
    model = None if settings.predictions else open_model(settings)
    dataset, drawn = load_documents(settings, model)
    if model is not None:
        strangers = sorted(set(dataset.labels) - set(model.manifest.labels))
        if strangers:
            raise UserError(
                f"model {model.path} does not know the categories {', '.join(strangers[:5])} of data set {dataset.name}"
                f"\n  it knows: {', '.join(model.manifest.labels)}"
            )
    predictions = None
    if settings.predictions is not None:
        predictions = read_predictions(settings.predictions, dataset.splits["test"], drawn)
    return Prepared(
        settings, policy, dataset, drawn, model, predictions, judge, [*notes, *_notes(settings, policy, dataset, drawn)]
    )


def _notes(settings: Settings, policy: GatePolicy, dataset: NewsDataset, drawn: Sequence[Document]) -> list[str]:
    notes = [
        f"data set {dataset.name}: {count} test documents left out: {reason}"
        for reason, count in dataset.dropped["test"].items()
    ]
    if settings.num_samples is not None and settings.num_samples > len(drawn):
        notes.append(f"--num-samples {settings.num_samples}: the test split has {len(drawn)}; all are used")
    bound = wilson(len(drawn), len(drawn), confidence=2 * policy.confidence - 1).low
    if policy.gate == "rate" and bound < policy.min_pass_rate:
        notes.append(
            f"{len(drawn)} samples are too few: even if all pass, the lower bound is {bound:.1%} "
            f"and {policy.min_pass_rate:.0%} is required"
        )
    return notes


def evaluate(prepared: Prepared, selected: Collection[str], stage: Stage) -> Evaluation:
    """Predict and judge the drawn samples whose ids are ``selected``. Raises UserError."""
    settings = prepared.settings
    started = datetime.now(UTC)
    documents = [document for document in prepared.drawn if document.id in selected]
    clock = time.perf_counter()
    predictions = prepared.predictions
    if predictions is None:
        assert prepared.model is not None
        progress = stage("predicting", len(documents))
        predictions = predict(prepared.model, documents, settings, progress=progress)
        write_predictions(settings.save_to / "predictions.jsonl", documents, predictions)
    prediction_seconds = time.perf_counter() - clock
    pairs = {document.id: _pair(predictions[document.id], document) for document in documents}
    with VerdictStore(settings.verdict_store or settings.save_to / "verdicts.sqlite") as store:
        judging = judge_pairs(
            pairs.values(),
            prepared.judge,
            store,
            threshold=settings.threshold,
            concurrency=settings.judge_concurrency,
            progress=stage("judging distinct pairs", len(set(pairs.values()))),
        )
    samples = []
    for document in documents:
        verdict = judging.verdicts[pairs[document.id]]
        samples.append(Sample(document, predictions[document.id], verdict, _state(verdict, settings.threshold)))
    return Evaluation(
        settings=settings,
        policy=prepared.policy,
        dataset=prepared.dataset,
        drawn=prepared.drawn,
        model=prepared.model,
        predictions_digest=sha256_file(settings.predictions) if settings.predictions else "",
        judge=prepared.judge,
        judging=judging,
        samples=samples,
        prediction_seconds=prediction_seconds,
        started=started,
    )


def _pair(prediction: Prediction, document: Document) -> Judgement:
    # DeepEval's test case takes neither lone surrogates nor control characters for text.
    return Judgement(actual=printable(encodable(prediction.predicted)), expected=printable(encodable(document.label)))


def _state(verdict: Verdict, threshold: float) -> State:
    if verdict.score is None:
        return "unscored"
    return "passed" if verdict.score >= threshold else "failed"
