"""``junit.xml``: one test case a sample, and one named ``gate``.

Valid against the schema that Jenkins applies (junit-10.xsd): score and reason
stand in ``<system-out>``, because that schema allows no properties on a test
case, and an unscored sample is an ``<error>``, because nobody judged it.
"""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

from evals.reports.model import Report, SampleRow
from fixtures.contracts.files import printable

__all__ = ["junit_xml"]


def junit_xml(report: Report) -> str:
    """The report as JUnit XML."""
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
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _gate_case(suite: ET.Element, report: Report) -> None:
    case = ET.SubElement(suite, "testcase", {"classname": "evals.gate", "name": "gate", "time": "0.000"})
    outcome, sentence = report.gate.outcome, printable(report.gate.sentence)
    tag = {"pass": None, "not evaluated": "skipped", "incomplete": "error"}.get(outcome, "failure")
    if tag is not None:
        ET.SubElement(case, tag, {"type": outcome, "message": sentence})
    ET.SubElement(case, "system-out").text = sentence


def _sample_case(suite: ET.Element, sample: SampleRow, report: Report) -> None:
    # Dots make a tree in most viewers; a category's own dots would make it deeper at random.
    category = sample.expected.replace(".", "_")
    case = ET.SubElement(
        suite,
        "testcase",
        {"classname": f"evals.{report.judge.metric}.{category}", "name": sample.id, "time": "0.000"},
    )
    if sample.state == "failed":
        message = (
            f"score {sample.score:.2f} < {report.judge.threshold:g}: expected {sample.expected}, got {sample.predicted}"
        )
        failure = ET.SubElement(case, "failure", {"type": "SampleFailed", "message": message})
        failure.text = f"{sample.reason}\n\n{sample.text[:300]}"
    elif sample.state == "unscored":
        ET.SubElement(case, "error", {"type": "SampleUnscored", "message": f"unscored: {sample.error}"})
    verdict = {
        "metric": report.judge.metric,
        "score": sample.score,
        "expected": sample.expected,
        "predicted": sample.predicted,
        "reason": sample.reason,
    }
    ET.SubElement(case, "system-out").text = json.dumps(verdict, ensure_ascii=False)
