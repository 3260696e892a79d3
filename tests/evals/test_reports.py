"""Reports: whatever the texts say, every projection stays valid and says the same."""

import json
import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from deepeval.evaluate.types import EvaluationResult
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import evals.reports.model
from evals.classic import classic_metrics
from evals.evaluation import Evaluation
from evals.judges.ledger import Usage
from evals.judges.rubric import RubricJudge, read_taxonomy
from evals.judging import Judging
from evals.predictions import Prediction
from evals.reports import Report
from evals.reports.build import build_report
from evals.reports.deepeval import deepeval_json
from evals.reports.junit import junit_xml
from evals.reports.markdown import markdown
from evals.reports.parts import dataset_info, judge_info
from evals.reports.references import References
from evals.reports.rows import PairKey
from evals.reports.subject import ModelInfo
from evals.settings import Settings
from evals.tasks.news import Predicted, item_of
from evals.verdicts import Verdict
from evals.votes import PairVerdict, Vote
from fixtures.datasets import NewsDataset, _documents

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=80)
SCHEMA = Path(evals.reports.model.__file__).parent / "report.schema.json"


def report_of(rows, **given):
    """A report of (text, expected, predicted, score or None, reason) rows."""
    documents, dropped = _documents([(text or "x", expected) for text, expected, *_ in rows])
    items = [item_of(document) for document in documents]
    predictions, verdicts, found = {}, {}, iter(items)
    for text, _, predicted, score, reason in rows:
        if text and not text.strip():
            continue
        item = next(found)
        predictions[item.id] = Prediction(predicted)
        verdict = Verdict(score, reason) if score is not None else Verdict(None, "", "judge failed", reason)
        verdicts[item.id] = verdict
    chosen = Settings(**given)
    judges = (RubricJudge(read_taxonomy(None)),)
    answered = Predicted(predictions, chosen.threshold)
    judged = {item.id: dict.fromkeys(answered.judgements(item), verdicts[item.id]) for item in items}
    task = SimpleNamespace(
        name="text-classification",
        drawn=items,
        dataset=dataset_info(NewsDataset("made", {"test": documents}, {"test": dropped}, ()), documents),
        model=ModelInfo(source="predictions", digest="0" * 64),
        judge=judge_info(chosen, judges),
        pair=lambda pair: PairKey(pair.expected, pair.actual),
    )
    return build_report(
        Evaluation(
            settings=chosen,
            policy=chosen.gate_policy(),
            task=task,
            references=References(),
            preflight={},
            judging=Judging(
                {
                    pair: PairVerdict(verdict, (Vote("rubric", 0, verdict),))
                    for own in judged.values()
                    for pair, verdict in own.items()
                },
                Usage(),
                0.1,
                stopped=None,
                interrupted=False,
            ),
            probes=None,
            samples=[answered.sample(item, judged[item.id]) for item in items],
            prediction_seconds=0.0,
            started=datetime.now(UTC),
        ),
        incomplete=None,
    )


@pytest.fixture(scope="module")
def xsd(request):
    xmlschema = pytest.importorskip("xmlschema")
    return xmlschema.XMLSchema(str(request.getfixturevalue("shared_data") / "junit-10.xsd"))


ROWS = st.lists(
    st.tuples(
        ANY_TEXT,
        ANY_TEXT.map(lambda text: text.strip() or "x"),
        ANY_TEXT,
        st.sampled_from([None, 0.0, 0.5, 1.0]),
        ANY_TEXT,
    ),
    min_size=1,
    max_size=6,
).filter(lambda rows: any(not text or text.strip() for text, *_ in rows))


@settings(max_examples=40, deadline=None)
@given(ROWS)
def test_no_text_breaks_a_projection(rows):
    report = report_of(rows)
    again = Report.model_validate_json(report.to_json())
    assert again == report
    suite = ET.fromstring(junit_xml(report).encode("utf-8"))[0]
    names = [(case.attrib["classname"], case.attrib["name"]) for case in suite.findall("testcase")]
    assert len(set(names)) == len(names) == report.tally.total + 1
    assert len(EvaluationResult.model_validate_json(deepeval_json(report)).test_results) == report.tally.total
    summary = markdown(report)
    assert "\x1b" not in summary
    assert not re.search(r"(?<!\\)<(?!think)\w", summary)


@settings(max_examples=15, deadline=None)
@given(rows=ROWS)
def test_junit_is_valid_for_jenkins(xsd, rows):
    xsd.validate(ET.ElementTree(ET.fromstring(junit_xml(report_of(rows)).encode("utf-8"))))


def test_the_schema_in_the_repository_describes_the_report():
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert schema == Report.model_json_schema(mode="serialization"), "run: python -m evals.reports.model"
    report = report_of([("t", "a", "a", 1.0, "r"), ("u", "b", "a", None, "r")])
    Draft202012Validator(schema).validate(json.loads(report.to_json()))


def test_what_differs_from_run_to_run_stands_under_run_only():
    rows = [("t", "a", "a", 1.0, "r"), ("u", "b", "a", 0.0, "r")]
    first, second = (report_of(rows).model_dump(exclude={"run"}) for _ in range(2))
    assert first == second


def test_the_summary_names_the_judge_for_what_it_is():
    summary = markdown(report_of([("t", "a", "a", 1.0, "r")]))
    assert "it is no LLM" in summary


def test_excerpts_are_short():
    assert len(report_of([("x" * 70_000, "a", "a", 1.0, "r")]).samples[0].text) == 1000


class TestClassicMetrics:
    def test_against_a_count_by_hand(self):
        metrics = classic_metrics(["a", "a", "b", "b"], ["a", "b", "b", "something else"])
        assert metrics.accuracy == 0.5
        assert metrics.macro.recall == 0.5
        assert metrics.macro.precision == 0.75
        assert metrics.confusion.labels == ["a", "b", "(any other answer)"]
        assert metrics.confusion.matrix == [[1, 1, 0], [0, 1, 1], [0, 0, 0]]
