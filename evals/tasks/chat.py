"""Chat: a model answers conversations, and each answer must satisfy every metric of ``--metrics``.

Judges are asked for some metrics, rules decide others. A row that could not be
answered is unscored like one that could not be judged: neither says anything of
the answers that there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from evals.answers import Answer, Scored
from evals.candidates import Answered as CandidateAnswer
from evals.candidates import Candidate, open_candidate
from evals.candidates.asking import AskedCandidate
from evals.candidates.kept import KeptAnswers
from evals.judges import Judge, Judgement
from evals.judges.base import CORRECTNESS
from evals.judges.rubric import KNOWN_METRICS, RubricJudge
from evals.metrics.base import Metric
from evals.metrics.chat import BUILT_IN
from evals.metrics.file import AnyMetric, read_metrics
from evals.metrics.geval import GEvalMetric
from evals.metrics.rules import Rule
from evals.reports.parts import EXCERPT, judge_info
from evals.reports.rows import MetricScore, PairKey, SampleRow
from evals.reports.subject import DatasetInfo, MetricInfo, ModelInfo, TaskName
from evals.samples import draw
from evals.settings import Settings
from evals.tasks.base import Display, Item, Sample, state_of
from evals.text_measures import require_libraries, text_scores
from evals.verdicts import Verdict
from evals.verdicts.records import digest
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import printable
from fixtures.contracts.manifest import MANIFEST, Manifest
from fixtures.conversations.answers import ANSWERS, write_answers
from fixtures.conversations.rows import ChatRow, rows_of

__all__ = ["ChatTask", "drawn_from"]


_UNKNOWN = CandidateAnswer("An answer that is not known yet; this one is as long as many are. " * 4)


def drawn_from(settings: Settings, rows: Sequence[ChatRow]) -> list[Item]:
    """The samples that are evaluated, in proportion to the categories."""
    return draw([item_of(row) for row in rows], settings.num_samples, seed=settings.seed)


def item_of(row: ChatRow) -> Item:
    """A row as a sample."""
    return Item(row.id, row.category, row.digest, row.question, row.reference)


class ChatTask:
    """See `evals.tasks.base.Task`. Raises UserError if an input is missing or does not fit the others."""

    name: TaskName = "chat"
    test = "test_chat_answers.py"

    def __init__(self, settings: Settings, judges: Sequence[Judge]) -> None:
        require_libraries()
        assert settings.chat is not None
        self._settings = settings
        source = rows_of(settings.chat)
        self._warnings = [f"{settings.chat}: {warning}" for warning in source.warnings]
        self._all = source.rows
        self.drawn = drawn_from(settings, source.rows)
        by_id = {row.id: row for row in source.rows}
        self._rows = [by_id[item.id] for item in self.drawn]
        self._asserted = read_metrics(settings.metrics, self._rows)
        asked = [metric for metric in self._asserted if isinstance(metric, GEvalMetric)]
        _refuse_rubric(asked, judges, settings)
        # The first is the preflight's, whose question must have a known answer.
        asked.sort(key=lambda metric: metric.name not in BUILT_IN)
        known = [] if not asked or asked[0].name in BUILT_IN else [BUILT_IN[CORRECTNESS]]
        self.metrics: Sequence[Metric] = (*known, *asked)
        self.dataset = DatasetInfo(
            name=settings.chat.name,
            digest=source.digest,
            remove=[],
            total=len(self._all),
            drawn=len(self._rows),
            dropped={},
        )
        self.judge = judge_info(settings, judges, list(map(_info, self._asserted)))
        self._candidate = _open(settings)
        self._given: dict[str, CandidateAnswer] | None = None
        if self._candidate.kind == "answers":
            # A file is read before anything is paid for: whatever is wrong with it is a mistake of the user.
            self._given = self._candidate.answer(self._rows, known=self._all, progress=lambda rows: None)

    @property
    def model(self) -> ModelInfo:
        """The candidate, with what its manifest says if it is a folder of ours."""
        candidate = self._candidate
        if candidate.kind == "answers":
            return ModelInfo(source="predictions", digest=candidate.digest)
        if candidate.kind != "folder":
            return ModelInfo(source="endpoint", digest=candidate.digest, base_model=candidate.name)
        manifest = Path(candidate.name) / MANIFEST
        if not manifest.is_file():
            return ModelInfo(source="model", digest=candidate.digest)
        said = Manifest.model_validate_json(manifest.read_bytes())
        return ModelInfo(source="model", digest=candidate.digest, base_model=said.base_model, training=said.metrics)

    @property
    def notes(self) -> Sequence[str]:
        """Warnings about the file of rows, and about what nobody will be asked for."""
        notes = [*self._warnings, *self._candidate.notes]
        wanted = self._settings.num_samples
        if wanted is not None and wanted > len(self.drawn) and "num_samples" in self._settings.model_fields_set:
            notes.append(f"--num-samples {wanted}: {self._settings.chat} has {len(self.drawn)} rows; all are used")
        if not self.metrics:
            notes.append("all metrics are rules: no judge is asked")
        return notes

    def introduction(self) -> str:
        """Which candidate, which rows, by which metrics."""
        names = ", ".join(metric.name for metric in self._asserted)
        kind = {"answers": "answers", "folder": "model"}.get(self._candidate.kind, "candidate")
        return (
            f"{kind} {self._candidate.name}; {self._settings.chat}: {len(self.drawn)} of {len(self._all)} rows drawn; "
            f"metrics {names}"
        )

    def possible(self, items: Sequence[Item]) -> Iterable[Judgement]:
        """What is known of the answers; anything may have to be judged of rows that have none yet."""
        for item, answer in self._known(items).items():
            if answer.text is not None:
                yield from (_judgement(metric, item, answer.text) for metric in self._judged)

    def answer(self, items: Sequence[Item], display: Display) -> ChatAnswers:
        """Have the candidate answer, unless its answers came from a file."""
        selected = {item.id for item in items}
        rows = [row for row in self._rows if row.id in selected]
        if self._given is not None:
            answers = self._given
        elif self._settings.dry_run:
            # Whoever only asks for the price is not sent the bill of a server.
            answers = {item.id: answer for item, answer in self._known(items).items()}
        else:
            answers = dict(self._candidate.answer(rows, known=self._all, progress=display.predicting(len(rows))))
            _keep(self._settings.save_to / ANSWERS, rows, answers)
        return ChatAnswers(self._asserted, {row.id: row for row in rows}, answers)

    def _known(self, items: Sequence[Item]) -> dict[Item, CandidateAnswer]:
        """The answers of a file or of earlier runs, and for rows without one a text that nobody gave."""
        if self._given is not None:
            return {item: self._given[item.id] for item in items}
        kept = KeptAnswers(self._candidate.kept_in).answers if isinstance(self._candidate, AskedCandidate) else {}
        return {item: kept.get(item.digest, _UNKNOWN) for item in items}

    def pair(self, judgement: Judgement) -> PairKey:
        """By a digest of all that the judge saw: the texts of rows are excerpts."""
        return PairKey(metric=judgement.metric, digest=_digest(judgement))

    @property
    def _judged(self) -> list[GEvalMetric]:
        return [metric for metric in self._asserted if isinstance(metric, GEvalMetric)]


class ChatAnswers:
    """See `evals.tasks.base.Answered`."""

    def __init__(
        self, metrics: Sequence[AnyMetric], rows: Mapping[str, ChatRow], answers: Mapping[str, CandidateAnswer]
    ) -> None:
        self._metrics = metrics
        self._rows = rows
        self._answers = answers

    def judgements(self, item: Item) -> Sequence[Judgement]:
        """One for each metric of a judge; none without an answer."""
        text = self._answers[item.id].text
        if text is None:
            return []
        return [_judgement(metric, item, text) for metric in self._metrics if isinstance(metric, GEvalMetric)]

    def sample(self, item: Item, verdicts: Mapping[Judgement, Verdict]) -> Sample:
        """The answer with a score of every metric."""
        answered, row = self._answers[item.id], self._rows[item.id]
        text = answered.text
        found = [self._scored(metric, item, row, text, answered.error, verdicts) for metric in self._metrics]
        scores = [scored for scored, _ in found]
        shown = _telling(scores)
        several = f"{shown.metric}: " if len(scores) > 1 else ""
        error = shown.verdict.error
        return Sample(
            Answer(text or "", tuple(scores)),
            SampleRow(
                id=item.id,
                category=printable(item.category),
                expected=_excerpt(item.expected),
                predicted=_excerpt(text or ""),
                prediction_score=None,
                state=state_of((scored.verdict.score, scored.threshold) for scored in scores),
                score=shown.verdict.score,
                reason=several + printable(shown.verdict.reason) if shown.verdict.reason else "",
                error=error if error is None or text is None else several + error,
                raw=shown.verdict.raw if shown.verdict.score is None else None,
                digest=item.digest,
                text=_excerpt(item.input),
                metrics=[
                    MetricScore(
                        name=scored.metric,
                        score=scored.verdict.score,
                        reason=printable(scored.verdict.reason),
                        error=scored.verdict.error,
                        raw=scored.verdict.raw if scored.verdict.score is None else None,
                        judgement=None if judgement is None else _digest(judgement),
                    )
                    for scored, judgement in found
                ],
                measures=None if text is None else text_scores(text, row.reference),
            ),
        )

    @staticmethod
    def _scored(
        metric: AnyMetric,
        item: Item,
        row: ChatRow,
        text: str | None,
        error: str | None,
        verdicts: Mapping[Judgement, Verdict],
    ) -> tuple[Scored, Judgement | None]:
        if text is None:
            verdict = Verdict(None, "", f"no answer: {printable(error or 'for no given reason')}")
            return Scored(metric.name, metric.threshold, verdict), None
        if isinstance(metric, Rule):
            score, reason = metric.measure(text, row)
            return Scored(metric.name, metric.threshold, Verdict(score, printable(reason))), None
        judgement = _judgement(metric, item, text)
        return Scored(metric.name, metric.threshold, verdicts[judgement]), judgement


def _telling(scores: Sequence[Scored]) -> Scored:
    """The metric that says most of the sample: one without a verdict, else the one with the least to spare."""

    def spare(scored: Scored) -> float:
        score = scored.verdict.score
        return -2.0 if score is None else score - scored.threshold

    return min(scores, key=spare)


def _refuse_rubric(metrics: Sequence[GEvalMetric], judges: Sequence[Judge], settings: Settings) -> None:
    beyond = [metric.name for metric in metrics if metric.name not in KNOWN_METRICS]
    if beyond and any(isinstance(judge, RubricJudge) for judge in judges):
        raise UserError(
            f"--judge {settings.judge}: the rubric judge is no LLM and cannot judge {', '.join(beyond)}; name one, "
            f"e.g. --judge ollama:llama3.2, or leave {'it' if len(beyond) == 1 else 'them'} out of {settings.metrics}"
        )


def _open(settings: Settings) -> Candidate:
    named = settings.candidate or settings.predictions
    if named is not None:
        return open_candidate(str(named), settings)
    if not settings.model_path.exists() and "model_path" not in settings.model_fields_set:
        raise UserError(
            f"no model at {settings.model_path}: train one with `python -m training chat --config-file "
            "fixtures/chat/train.json --save-to out` and pass --model-path out/model, or pass --predictions FILE or "
            "--candidate endpoint:MODEL@URL"
        )
    return open_candidate(str(settings.model_path), settings)


def _info(metric: AnyMetric) -> MetricInfo:
    return MetricInfo(
        name=metric.name,
        kind="rule" if isinstance(metric, Rule) else "judge",
        fingerprint=metric.fingerprint,
        threshold=metric.threshold,
    )


def _keep(path: Path, rows: Sequence[ChatRow], answers: Mapping[str, CandidateAnswer]) -> None:
    """``answers.jsonl``: to be evaluated again by other metrics, put beside another model's, or read."""
    given = [row for row in rows if answers[row.id].text is not None]
    reasons = {row.id: reason for row in given if (reason := answers[row.id].finish_reason) is not None}
    write_answers(path, given, {row.id: answers[row.id].text or "" for row in given}, finish_reason=reasons)


def _judgement(metric: GEvalMetric, item: Item, text: str) -> Judgement:
    """What the judge sees and nothing else: equal answers share verdicts that do not depend on the question."""
    return Judgement(
        actual=printable(text),
        expected=printable(item.expected) if "expected_output" in metric.sees else "",
        input=printable(item.input) if "input" in metric.sees else "",
        metric=metric.name,
    )


def _digest(judgement: Judgement) -> str:
    return digest([judgement.metric, judgement.input, judgement.actual, judgement.expected])


def _excerpt(text: str) -> str:
    return printable(text[:EXCERPT])[:EXCERPT]
