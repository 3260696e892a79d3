"""``python -m evals report``: each projection again, from report.json alone."""

import argparse
import csv
import io
import sys
import xml.etree.ElementTree as ET

import pytest
from deepeval.evaluate.types import EvaluationResult
from rich.console import Console

from evals.commands import report as command
from evals.reports import write_reports
from fixtures.contracts.errors import UserError
from tests.evals.reports import sample_reports


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("run")
    write_reports(sample_reports.incomplete(), made)
    return made


@pytest.fixture
def evals(capsysbinary):
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers(required=True))

    def run(*arguments):
        options = parser.parse_args(["report", *map(str, arguments)])
        assert options.run(options, Console(markup=False, highlight=False, soft_wrap=True)) == 0
        return capsysbinary.readouterr().out

    return run


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("html", "report.html"),
        ("markdown", "summary.md"),
        ("junit", "junit.xml"),
        ("deepeval", "deepeval-result.json"),
        ("csv", "samples.csv"),
    ],
)
def test_a_projection_made_again_is_the_one_of_the_run(folder, evals, tmp_path, kind, name):
    written = (folder / name).read_bytes()
    assert evals(folder, "--to", kind) == written
    assert evals(folder / "report.json", "--to", kind, "--output", tmp_path / "new" / name) == b""
    assert (tmp_path / "new" / name).read_bytes() == written


def test_csv_with_and_without_a_mark(folder, evals):
    plain = evals(folder, "--to", "csv")
    assert len(list(csv.DictReader(io.StringIO(plain.decode("utf-8"), newline="")))) == 200
    assert evals(folder, "--to", "csv", "--bom") == b"\xef\xbb\xbf" + plain


def test_markdown_within_bytes(folder, evals):
    assert len(evals(folder, "--to", "markdown", "--max-bytes", "4000")) <= 4000


@pytest.mark.parametrize("kind", ["small", "incomplete", "hostile", "unevaluated"])
def test_junit_of_the_default_family_is_valid(kind, evals, tmp_path, shared_data):
    xmlschema = pytest.importorskip("xmlschema")
    file = tmp_path / "report.json"
    file.write_text(getattr(sample_reports, kind)().to_json(), encoding="utf-8")
    xsd = xmlschema.XMLSchema(str(shared_data / "junit-10.xsd"))
    xsd.validate(ET.ElementTree(ET.fromstring(evals(file, "--to", "junit"))))


def test_junit_of_the_other_family_names_a_line_in_the_repository(folder, evals, request):
    root = ET.fromstring(evals(folder, "--to", "junit", "--junit-family", "xunit1"))
    cases = root.findall("testsuite/testcase")
    assert len(cases) == 201
    (place,) = {(case.attrib["file"], case.attrib["line"]) for case in cases}
    lines = (request.config.rootpath / place[0]).read_text(encoding="utf-8").splitlines()
    assert lines[int(place[1]) - 1].startswith("def test_category_precision(")
    for case in cases:
        del case.attrib["file"], case.attrib["line"]
    default = ET.fromstring(evals(folder, "--to", "junit", "--junit-family", "xunit2"))
    assert ET.tostring(root) == ET.tostring(default)


def test_deepeval_loads(folder, evals):
    assert len(EvaluationResult.model_validate_json(evals(folder, "--to", "deepeval")).test_results) == 200


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--to", "csv", "--max-bytes", "5000"], "--max-bytes is for --to markdown, not for --to csv"),
        (["--to", "html", "--junit-family", "xunit2"], "--junit-family is for --to junit, not for --to html"),
        (["--to", "junit", "--bom"], "--bom is for --to csv, not for --to junit"),
        (["--to", "markdown", "--max-bytes", "0"], "--max-bytes is 0: must be at least 1000"),
        (["--to", "csv", "--output", "{folder}"], "is a folder; name a file"),
        (["--to", "csv", "--output", "{folder}/report.json"], "is the report itself"),
    ],
)
def test_mistakes_are_named(folder, evals, given, said):
    before = (folder / "report.json").read_bytes()
    with pytest.raises(UserError, match=said):
        evals(folder, *[word.format(folder=folder) for word in given])
    assert (folder / "report.json").read_bytes() == before


def test_a_page_is_not_poured_into_a_terminal(folder, evals, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with pytest.raises(UserError, match="name a file with --output"):
        evals(folder, "--to", "html")
