"""News: a classifier names the category of a text, and a judge compares it with the expected one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from evals.answers import Answer, Scored
from evals.judges import Judge, Judgement
from evals.judges.base import CATEGORY_PRECISION
from evals.metrics.category_precision import category_precision
from evals.predictions import (
    ModelUnderTest,
    Prediction,
    cached_predictions,
    open_model,
    predict,
    read_predictions,
    write_predictions,
)
from evals.reports.parts import EXCERPT, dataset_info, judge_info
from evals.reports.rows import PairKey, SampleRow
from evals.reports.subject import ModelInfo, TaskName
from evals.samples import draw
from evals.settings import Settings
from evals.tasks.base import Display, Item, Sample, state_of
from evals.verdicts import Verdict
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import printable, sha256_file
from fixtures.datasets import Document, NewsDataset, load_dataset

__all__ = ["NewsTask", "item_of", "load_documents"]


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


def item_of(document: Document) -> Item:
    """A document as a sample."""
    return Item(document.id, document.label, document.digest, document.text, document.label)


class NewsTask:
    """See `evals.tasks.base.Task`. Raises UserError if an input is missing or does not fit the others."""

    name: TaskName = "text-classification"
    test = "test_category_precision.py"

    def __init__(self, settings: Settings, judges: Sequence[Judge]) -> None:
        self._settings = settings
        self._model = None if settings.predictions else open_model(settings)
        self._source, documents = load_documents(settings, self._model)
        if self._model is not None:
            _refuse_strangers(self._model, self._source)
        self._predictions = None
        if settings.predictions is not None:
            self._predictions = read_predictions(settings.predictions, self._source.splits["test"], documents)
        self._documents = {document.id: document for document in documents}
        self.drawn = [item_of(document) for document in documents]
        self.metrics = (category_precision(settings.threshold),)
        self.dataset = dataset_info(self._source, documents)
        self.judge = judge_info(settings, judges)

    @property
    def model(self) -> ModelInfo:
        """The model, or where its predictions came from."""
        if self._model is None:
            assert self._settings.predictions is not None
            return ModelInfo(source="predictions", digest=sha256_file(self._settings.predictions))
        manifest = self._model.manifest
        return ModelInfo(
            source="model", digest=self._model.digest, base_model=manifest.base_model, training=manifest.metrics
        )

    @property
    def notes(self) -> Sequence[str]:
        """What was left out of the test split."""
        notes = [
            f"data set {self._source.name}: {count} test documents left out: {reason}"
            for reason, count in self._source.dropped["test"].items()
        ]
        wanted = self._settings.num_samples
        if wanted is not None and wanted > len(self.drawn):
            notes.append(f"--num-samples {wanted}: the test split has {len(self.drawn)}; all are used")
        return notes

    def introduction(self) -> str:
        """Which model, which documents."""
        subject = f"model {self._model.path}" if self._model else f"predictions {self._settings.predictions}"
        total = len(self._source.splits["test"])
        return f"{subject}; data set {self._source.name}: {len(self.drawn)} of {total} test documents drawn"

    def possible(self, items: Sequence[Item]) -> Iterable[Judgement]:
        """A model not asked yet may give any of its labels."""
        if self._predictions is not None:
            return {_pair(self._predictions[item.id].predicted, item) for item in items}
        assert self._model is not None
        known = cached_predictions(self._model, self._settings)
        return {
            _pair(answer, item)
            for item in items
            for answer in ([known[item.digest].predicted] if item.digest in known else self._model.manifest.labels)
        }

    def answer(self, items: Sequence[Item], display: Display) -> Predicted:
        """Predict, unless the predictions came from a file."""
        if self._predictions is not None:
            return Predicted(self._predictions, self._settings.threshold)
        assert self._model is not None
        documents = [self._documents[item.id] for item in items]
        progress = display.predicting(len(documents))
        predictions = predict(self._model, documents, self._settings, progress=progress)
        write_predictions(self._settings.save_to / "predictions.jsonl", documents, predictions)
        return Predicted(predictions, self._settings.threshold)

    def pair(self, judgement: Judgement) -> PairKey:
        """Category and answer."""
        return PairKey(judgement.expected, judgement.actual)


class Predicted:
    """See `evals.tasks.base.Answered`."""

    def __init__(self, predictions: Mapping[str, Prediction], threshold: float) -> None:
        self._predictions = predictions
        self._threshold = threshold

    def judgements(self, item: Item) -> Sequence[Judgement]:
        """One: of the answer and the expected category."""
        return [_pair(self._predictions[item.id].predicted, item)]

    def sample(self, item: Item, verdicts: Mapping[Judgement, Verdict]) -> Sample:
        """The prediction with its verdict."""
        prediction = self._predictions[item.id]
        verdict = verdicts[_pair(prediction.predicted, item)]
        row = SampleRow(
            id=item.id,
            expected=printable(item.expected),
            predicted=printable(prediction.predicted),
            prediction_score=prediction.score,
            state=state_of([(verdict.score, self._threshold)]),
            score=verdict.score,
            reason=printable(verdict.reason),
            error=verdict.error,
            raw=None if verdict.score is not None or verdict.raw is None else printable(verdict.raw),
            digest=item.digest,
            text=printable(item.input[:EXCERPT])[:EXCERPT],
        )
        return Sample(Answer(prediction.predicted, (Scored(CATEGORY_PRECISION, self._threshold, verdict),)), row)


def _refuse_strangers(model: ModelUnderTest, dataset: NewsDataset) -> None:
    strangers = sorted(set(dataset.labels) - set(model.manifest.labels))
    if strangers:
        raise UserError(
            f"model {model.path} does not know the categories {', '.join(strangers[:5])} of data set {dataset.name}"
            f"\n  it knows: {', '.join(model.manifest.labels)}"
        )


def _pair(predicted: str, item: Item) -> Judgement:
    # DeepEval's test case takes neither lone surrogates nor control characters for text. As the report shows them, so
    # that a merge of reports knows what was one pair.
    return Judgement(actual=printable(predicted), expected=printable(item.expected))
