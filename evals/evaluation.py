"""One evaluation: documents drawn, predicted, judged.

`prepare` finds every mistake of the user before any work starts; `evaluate`
does the work, once, for the samples that were selected.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from evals.judges import Judge, Judgement, open_judges
from evals.judges.asking import Examined
from evals.judges.probes import Probed
from evals.judging import Judging, Jury
from evals.power import power_warning
from evals.predictions import (
    ModelUnderTest,
    Prediction,
    cached_predictions,
    open_model,
    predict,
    read_predictions,
    write_predictions,
)
from evals.progress import Judged
from evals.reports.parts import dataset_info, judge_info
from evals.reports.references import References, read_references
from evals.samples import draw
from evals.settings import GatePolicy, Settings
from evals.sharding import Shard, chosen_shard, share_of
from evals.verdicts import Verdict, VerdictStore
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import printable, sha256_file
from fixtures.datasets import Document, NewsDataset, load_dataset

__all__ = ["Display", "DryRun", "Evaluation", "Prepared", "Sample", "State", "evaluate", "load_documents", "prepare"]

State = Literal["passed", "failed", "unscored"]


class Display(Protocol):
    """Where an evaluation shows what it is doing."""

    def say(self, line: str) -> None:
        """Show a line."""

    def predicting(self, total: int) -> Callable[[int], Any]:
        """See the ``progress`` of `evals.predictions.predict`."""

    def stage(self, title: str, total: int) -> Callable[[Judged], Any]:
        """See `evals.judging.Stage`."""


@dataclass(frozen=True)
class Sample:
    """One document with the model's answer and the judge's verdict on it."""

    document: Document
    prediction: Prediction
    pair: Judgement
    verdict: Verdict
    state: State


@dataclass(frozen=True)
class Prepared:
    """Validated inputs of an evaluation; nothing was predicted or judged yet."""

    settings: Settings
    policy: GatePolicy
    dataset: NewsDataset
    drawn: list[Document]
    shard: Shard | None
    assigned: list[Document]
    """The shard's part of ``drawn``; all of it without one."""
    model: ModelUnderTest | None
    predictions: dict[str, Prediction] | None
    judges: tuple[Judge, ...]
    references: References
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
    judges: tuple[Judge, ...]
    references: References
    preflight: dict[str, Examined]
    judging: Judging
    probes: Probed | None
    samples: list[Sample]
    prediction_seconds: float
    shard: Shard | None = None
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
    shard = chosen_shard(settings)
    judges = open_judges(settings)
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
    ids = {document.id for document in drawn}
    references = read_references(policy, judge_info(settings, judges), dataset_info(dataset, drawn), ids)
    assigned = share_of(drawn, shard)
    notes = [*notes, *_notes(settings, policy, dataset, drawn)]
    if shard is not None:
        notes.append(f"shard {shard.index} of {shard.count}: {len(assigned)} of {len(drawn)} drawn samples")
    return Prepared(settings, policy, dataset, drawn, shard, assigned, model, predictions, judges, references, notes)


def _notes(settings: Settings, policy: GatePolicy, dataset: NewsDataset, drawn: Sequence[Document]) -> list[str]:
    notes = [
        f"data set {dataset.name}: {count} test documents left out: {reason}"
        for reason, count in dataset.dropped["test"].items()
    ]
    if settings.num_samples is not None and settings.num_samples > len(drawn):
        notes.append(f"--num-samples {settings.num_samples}: the test split has {len(drawn)}; all are used")
    warning = power_warning(len(drawn), policy)
    if warning is not None:
        notes.append(warning)
    small = policy.min_category_samples
    if policy.min_category_pass_rate:
        counts = Counter(document.label for document in drawn)
        few = sorted(label for label, count in counts.items() if count < small)
        if few:
            notes.append(
                f"{len(few)} of {len(counts)} categories have fewer than {small} samples and cannot show their pass "
                f"rate: {printable(', '.join(few[:5]))}"
            )
    return notes


class DryRun(Exception):
    """Nobody was asked: ``--dry-run``. Its text says what a run would need."""


def evaluate(prepared: Prepared, selected: Collection[str], display: Display) -> Evaluation:
    """Predict and judge the assigned samples whose ids are ``selected``. Raises UserError or DryRun."""
    settings = prepared.settings
    started = datetime.now(UTC)
    documents = [document for document in prepared.assigned if document.id in selected]
    store_path = settings.verdict_store or settings.save_to / "verdicts.sqlite"
    with VerdictStore(store_path) as store, Jury(prepared.judges, store, settings) as jury:
        for notice in store.notices:
            display.say(notice)
        preflight: dict[str, Examined] = {}
        if not settings.dry_run and jury.missing(_possible_pairs(prepared, documents)):
            preflight = jury.preflight(display.say)
        clock = time.perf_counter()
        predictions = prepared.predictions or _predict(prepared, documents, display)
        prediction_seconds = time.perf_counter() - clock
        pairs = {document.id: _pair(predictions[document.id].predicted, document) for document in documents}
        if settings.dry_run:
            raise DryRun(jury.estimate(pairs.values()))
        # Probes are about the judge, not about samples: one shard is enough to try them.
        probing = settings.probe_judge and (prepared.shard is None or prepared.shard.index == 1)
        probed = jury.probe(display.stage) if probing else None
        judging = jury.judge(pairs.values(), display.stage)
    samples = []
    for document in documents:
        pair = pairs[document.id]
        verdict = judging.verdicts[pair].verdict
        samples.append(Sample(document, predictions[document.id], pair, verdict, _state(verdict, settings.threshold)))
    return Evaluation(
        settings=settings,
        policy=prepared.policy,
        dataset=prepared.dataset,
        drawn=prepared.drawn,
        model=prepared.model,
        predictions_digest=sha256_file(settings.predictions) if settings.predictions else "",
        judges=prepared.judges,
        references=prepared.references,
        preflight=preflight,
        judging=judging,
        probes=probed,
        samples=samples,
        prediction_seconds=prediction_seconds,
        shard=prepared.shard,
        started=started,
    )


def _predict(prepared: Prepared, documents: Sequence[Document], display: Display) -> dict[str, Prediction]:
    assert prepared.model is not None
    settings = prepared.settings
    progress = display.predicting(len(documents))
    predictions = predict(prepared.model, documents, settings, progress=progress)
    write_predictions(settings.save_to / "predictions.jsonl", documents, predictions)
    return predictions


def _possible_pairs(prepared: Prepared, documents: Iterable[Document]) -> set[Judgement]:
    """All pairs that may have to be judged: a model not asked yet may give any of its labels."""
    model = prepared.model
    if prepared.predictions is not None:
        return {_pair(prepared.predictions[document.id].predicted, document) for document in documents}
    assert model is not None
    known = cached_predictions(model, prepared.settings)
    return {
        _pair(answer, document)
        for document in documents
        for answer in ([known[document.digest].predicted] if document.digest in known else model.manifest.labels)
    }


def _pair(predicted: str, document: Document) -> Judgement:
    # DeepEval's test case takes neither lone surrogates nor control characters for text. As the report shows them, so
    # that a merge of reports knows what was one pair.
    return Judgement(actual=printable(predicted), expected=printable(document.label))


def _state(verdict: Verdict, threshold: float) -> State:
    if verdict.score is None:
        return "unscored"
    return "passed" if verdict.score >= threshold else "failed"
