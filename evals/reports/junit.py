"""``junit.xml``: one test case a sample, and one named ``gate``.

Valid against the schema that Jenkins applies (junit-10.xsd): score and reason
stand in ``<system-out>``, because that schema allows no properties on a test
case, and an unscored sample is an ``<error>``, because nobody judged it.

That schema knows no place in a file, either. Some programs, GitHub actions
among them, look for ``file`` and ``line`` on a test case, as pytest's family
xunit1 has them, and show a failure beside that line: the family ``xunit1``
adds both, and is not valid against the schema.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args
from xml.etree import ElementTree as ET

from evals.reports.model import Report
from evals.reports.rows import SampleRow
from evals.reports.subject import TaskName
from fixtures.contracts.files import printable

__all__ = ["FAMILIES", "Family", "junit_xml"]

Family = Literal["xunit2", "xunit1"]
FAMILIES: tuple[Family, ...] = get_args(Family)

_TESTS: dict[TaskName, Path] = {
    "text-classification": Path("evals", "test_category_precision.py"),
    "chat": Path("evals", "test_chat_answers.py"),
}
"""Where a sample is asserted, from the root of the repository."""


def junit_xml(report: Report, *, family: Family = "xunit2") -> str:
    """The report as JUnit XML; ``xunit1`` says the file and line of the test, too."""
    gate = report.gate
    gate_failures = int(gate.outcome in ("fail", "inconclusive"))
    gate_errors = int(gate.outcome == "incomplete")
    gate_skipped = int(gate.outcome == "not evaluated")
    counts = {
        "tests": str(len(report.samples) + 1),
        "failures": str(report.tally.failed + gate_failures),
        "errors": str(report.tally.unscored + gate_errors),
    }
    suites = ET.Element("testsuites", {"name": "evals", **counts})
    suite = ET.SubElement(
        suites,
        "testsuite",
        {
            "name": "evals",
            **counts,
            "skipped": str(gate_skipped),
            "time": f"{report.run.seconds:.3f}",
            "timestamp": report.run.started,
        },
    )
    _gate_case(suite, report)
    for sample in report.samples:
        _sample_case(suite, sample, report)
    if family == "xunit1":
        for case in suite.iter("testcase"):
            case.attrib |= {"file": _TESTS[report.task].as_posix(), "line": _line(_TESTS[report.task])}
    for element in suites.iter():
        # A report may have been written or changed elsewhere, and XML has no form for most control characters.
        element.text = printable(element.text) if element.text else None
        element.attrib = {name: printable(value) for name, value in element.attrib.items()}
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


@cache
def _line(test: Path) -> str:
    """Where the test begins, counted from 1; the top of the file if it is not installed."""
    file = Path(__file__).parents[2] / test
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return str(next((number for number, line in enumerate(lines, start=1) if line.startswith("def test_")), 1))


def _gate_case(suite: ET.Element, report: Report) -> None:
    case = ET.SubElement(suite, "testcase", {"classname": "evals.gate", "name": "gate", "time": "0.000"})
    outcome, sentence = report.gate.outcome, report.gate.sentence
    tag = {"pass": None, "not evaluated": "skipped", "incomplete": "error"}.get(outcome, "failure")
    if tag is not None:
        ET.SubElement(case, tag, {"type": outcome, "message": sentence})
    ET.SubElement(case, "system-out").text = sentence


def _sample_case(suite: ET.Element, sample: SampleRow, report: Report) -> None:
    # Dots make a tree in most viewers; a category's own dots would make it deeper at random.
    category = sample.group.replace(".", "_")
    chat = report.task == "chat"
    case = ET.SubElement(
        suite,
        "testcase",
        {
            "classname": f"evals.{'chat' if chat else report.judge.metric}.{category}",
            "name": sample.id,
            "time": "0.000",
        },
    )
    if sample.state == "failed":
        failure = ET.SubElement(case, "failure", {"type": "SampleFailed", "message": _message(sample, report)})
        failure.text = f"{sample.reason}\n\n{sample.text[:300]}"
        if chat:
            failure.text += f"\n\nanswer: {sample.predicted[:300]}\n\nreference: {sample.expected[:300]}"
    elif sample.state == "unscored":
        ET.SubElement(case, "error", {"type": "SampleUnscored", "message": f"unscored: {sample.error}"})
    verdict: dict[str, Any] = {
        "metric": report.judge.metric,
        "score": sample.score,
        "expected": sample.expected,
        "predicted": sample.predicted,
        "reason": sample.reason,
    }
    if chat:
        # Texts are in report.json; a line for each metric is what a viewer has room for.
        scores = [score.model_dump(include={"name", "score", "reason", "error"}) for score in sample.metrics]
        verdict = {"metrics": scores, "answer": sample.predicted[:300]}
    ET.SubElement(case, "system-out").text = json.dumps(verdict, ensure_ascii=False)


def _message(sample: SampleRow, report: Report) -> str:
    if report.task != "chat":
        return (
            f"score {sample.score:.2f} < {report.judge.threshold:g}: expected {sample.expected}, got {sample.predicted}"
        )
    low = [
        f"{metric.name} {metric.score:.2g} < {report.judge.threshold_of(metric.name):g}"
        for metric in sample.metrics
        if metric.score is not None and metric.score < report.judge.threshold_of(metric.name)
    ]
    return "; ".join(low)
