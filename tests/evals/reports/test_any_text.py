"""Whatever stands in any field of a report, every projection of it keeps its form, and nothing obeys it."""

import csv
import io
import re
import unicodedata
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path

import html5lib
import pytest
from deepeval.evaluate.types import EvaluationResult
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.history import Entry, History, Unread
from evals.reports import Report, Verdict
from evals.reports.deepeval import deepeval_json
from evals.reports.html.history import history_page
from evals.reports.junit import junit_xml
from evals.reports.samples_csv import samples_csv
from evals.reports.terminal import condition_line, sample_lines, summary_lines
from fixtures.contracts.files import printable
from tests.evals.reports import sample_reports

SHORT = st.one_of(st.sampled_from(sample_reports.HOSTILE), st.text(st.characters(exclude_categories=()), max_size=60))
TEXT = st.one_of(
    SHORT,
    st.builds(lambda text: text * 2000, st.sampled_from(["x", "x ", "\n", "<b>", "宇", "\u202e"])),
)
TEXTS = st.lists(TEXT, min_size=1, max_size=12)
some = settings(max_examples=40, deadline=None)


@some
@given(TEXTS)
def test_report_json_is_read_again(texts):
    report = sample_reports.hostile(texts)
    again = Report.model_validate_json(report.to_json().encode("utf-8"))
    assert [row.text for row in again.samples] == [row.text for row in report.samples]
    verdict = Verdict(gate=report.gate, report_digest="0")
    assert Verdict.model_validate_json(verdict.to_json()).gate.outcome == report.gate.outcome


@some
@given(TEXTS)
def test_deepeval_loads_its_result(texts):
    report = sample_reports.hostile(texts)
    result = EvaluationResult.model_validate_json(deepeval_json(report).encode("utf-8"))
    assert [case.success for case in result.test_results] == [row.state == "passed" for row in report.samples]


@pytest.fixture(scope="module")
def xsd(shared_data):
    return pytest.importorskip("xmlschema").XMLSchema(str(shared_data / "junit-10.xsd"))


@some
@given(texts=TEXTS)
def test_junit_is_valid(xsd, texts):
    report = sample_reports.hostile(texts)
    suites = ET.fromstring(junit_xml(report).encode("utf-8"))
    xsd.validate(ET.ElementTree(suites))
    assert len(suites[0].findall("testcase/error")) == report.tally.unscored
    other = ET.fromstring(junit_xml(report, family="xunit1").encode("utf-8"))
    assert len(list(other.iter("testcase"))) == len(report.samples) + 1


@some
@given(TEXTS)
def test_no_cell_of_the_table_is_a_formula(texts):
    report = sample_reports.hostile(texts)
    data = samples_csv(report).encode("utf-8").decode("utf-8")
    head, *rows = csv.reader(io.StringIO(data, newline=""), strict=True)
    assert len(rows) == len(report.samples)
    assert {len(row) for row in rows} == {len(head)}
    assert not [cell for row in rows for cell in row if re.match(r"[\s\ufeff]*[=+\-@\t\r]", cell)]


@some
@given(TEXTS)
def test_no_line_in_a_terminal_or_a_log_is_obeyed(texts):
    report = sample_reports.hostile(texts)
    lines = [line for line, _ in summary_lines(report, Path("out"))]
    lines += [*sample_lines(report), *map(condition_line, report.gate.conditions)]
    for line in lines:
        # Control characters, halves of surrogate pairs, ends of lines.
        assert not {unicodedata.category(character) for character in line} & {"Cc", "Cs", "Zl", "Zp"}
        assert not re.search("[\u202a-\u202e\u2066-\u2069]", line)
        assert not re.search(r"##\[|^\s*::", line)
        assert len(line) <= 4000


def path_of(text):
    return Path("/runs") / text.replace("\0", "").replace("/", "_")[:100]


@settings(max_examples=15, deadline=None)
@given(st.lists(SHORT, min_size=1, max_size=4))
def test_the_history_holds_no_markup_but_its_own(texts):
    report = sample_reports.hostile(texts).model_copy(update={"samples": [], "pairs": []})
    places = [path_of(text) / "report.json" for text in texts]
    entries = [
        Entry(place, report, datetime(2026, 7, 3, tzinfo=UTC), text, text, measure=number % 3, unlike=text)
        for number, (place, text) in enumerate(zip(places, texts, strict=True))
    ]
    history = History(Path("/runs"), entries, [Unread(place, str(place)) for place in places], measures=3)
    page = history_page(history)
    tree = html5lib.parse(page.encode("utf-8"), transport_encoding="utf-8", namespaceHTMLElements=False)
    assert not {element.tag for element in tree.iter()} & {"script", "img", "iframe", "object", "base", "form", "input"}
    for element in tree.iter():
        names = {str(name).lower() for name in getattr(element, "attrib", {})}
        assert not {name for name in names if name.startswith("on")} | names & {"src", "style", "action"}
        assert element.get("href", "#").startswith(("#", "data:image/svg+xml,"))
    said = "".join(tree.itertext()).replace("\r\n", "\n").replace("\r", "\n")
    for text in texts:
        assert printable(text).replace("\r\n", "\n").replace("\r", "\n") in said
