"""The page's structure, read by a parser that follows the HTML standard as browsers do."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import html5lib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.reports.html import html
from evals.reports.rows import PassRate
from fixtures.contracts.files import printable
from tests.evals.reports import sample_reports

ROOT = Path(__file__).parents[3]
KINDS = [
    "small", "failing", "inconclusive", "incomplete", "all_pass", "all_unscored", "unevaluated", "foreign",
    "many_categories", "panel", "compared", "hostile",
]  # fmt: skip
ANY_TEXT = st.lists(
    st.one_of(st.sampled_from(sample_reports.HOSTILE), st.text(st.characters(exclude_categories=()), max_size=20)),
    max_size=3,
).map("".join)
LOADING = {"src", "srcset", "action", "formaction", "data", "poster", "background", "ping", "cite", "manifest"}


def parsed(page, *, strict=False):
    parser = html5lib.HTMLParser(namespaceHTMLElements=False, strict=strict)
    return parser.parse(page)


def elements(tree, *tags):
    return [element for element in tree.iter() if element.tag in tags]


def text_of(element):
    return "".join(element.itertext())


def data_of(tree):
    [data] = [script for script in elements(tree, "script") if script.get("type") == "application/json"]
    return json.loads(data.text)


def assert_closed(tree):
    """Nothing on the page runs, loads or sends anything but what its policy names."""
    scripts, styles = elements(tree, "script"), elements(tree, "style")
    assert [script.get("type") for script in scripts] == ["application/json", None]
    assert len(styles) == 1
    [policy] = [meta.get("content") for meta in elements(tree, "meta") if meta.get("http-equiv")]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    digests = [
        base64.b64encode(hashlib.sha256(part.text.encode()).digest()).decode() for part in (scripts[1], styles[0])
    ]
    assert directives["script-src"] == f"'sha256-{digests[0]}'"
    assert directives["style-src"] == f"'sha256-{digests[1]}'"
    assert directives["default-src"] == directives["base-uri"] == directives["form-action"] == "'none'"
    assert not elements(tree, "iframe", "object", "embed", "base", "img", "video", "audio", "template", "foreignObject")
    for element in tree.iter():
        if not isinstance(element.tag, str):
            continue  # a comment
        names = {str(name).lower() for name in element.attrib}
        assert not any(name.startswith("on") for name in names), element.attrib
        assert not names & LOADING | names & {"style"}, element.attrib
        assert element.get("href", "#").startswith(("#", "data:image/svg+xml,")), element.attrib


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    report = getattr(sample_reports, request.param)()
    return report, html(report)


def test_the_page_is_valid_html_with_the_verdict(kind):
    report, page = kind
    tree = parsed(page, strict=True)
    assert_closed(tree)
    [verdict] = [section for section in elements(tree, "section") if section.get("id") == "verdict"]
    said = " ".join(text_of(verdict).split()).replace(" : ", ": ")
    outcome, _, rest = report.gate.sentence.partition(": ")
    if report.gate.outcome in ("pass", "fail", "inconclusive", "incomplete") and outcome.lower() == report.gate.outcome:
        assert f"{outcome}: {rest[0].upper()}{rest[1:]}" in said
    else:
        assert " ".join(printable(report.gate.sentence).split()) in said


def test_ids_are_unique_headings_in_order_and_tables_named(kind):
    tree = parsed(kind[1])
    ids = [element.get("id") for element in tree.iter() if isinstance(element.tag, str) and element.get("id")]
    assert len(set(ids)) == len(ids)
    used = [element.get("href") for element in elements(tree, "{http://www.w3.org/2000/svg}use", "use", "a")]
    assert {place.removeprefix("#") for place in used if place} <= set(ids)
    levels = [int(heading.tag[1]) for heading in elements(tree, "h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(table[0].tag == "caption" and text_of(table[0]).strip() for table in elements(tree, "table"))
    assert all(heading.get("scope") in ("row", "col") for heading in elements(tree, "th"))


def test_the_samples_on_the_page_are_those_of_the_report(kind):
    report, page = kind
    data = data_of(parsed(page))
    strings, labels = data["strings"], data["labels"]
    known = {place: label for place, label in enumerate(labels) if label != "(any other answer)"}
    for i, sample in enumerate(report.samples):
        assert data["id"][i] == printable(sample.id)
        assert data["states"][data["state"][i]] == sample.state
        assert data["score"][i] == sample.score
        assert strings[data["expected"][i]] == labels[data["row"][i]] == printable(sample.expected)
        answer = printable(sample.predicted)
        assert strings[data["predicted"][i]] == answer
        assert labels[data["column"][i]] == (answer if answer in known.values() else "(any other answer)")
        assert data["text"][i] == printable(sample.text)
        for name, said in (("reason", sample.reason or None), ("error", sample.error), ("raw", sample.raw)):
            place = data[name][i]
            assert (None if place < 0 else strings[place]) == (None if said is None else printable(said))


@settings(max_examples=25, deadline=None)
@given(st.lists(ANY_TEXT, min_size=1, max_size=30))
def test_no_text_becomes_markup(texts):
    report = sample_reports.hostile(texts)
    page = html(report)
    page.encode("utf-8")
    tree = parsed(page)
    assert_closed(tree)
    assert set(data_of(tree)["text"]) == {printable(sample.text) for sample in report.samples}
    said = _normal(text_of(tree))
    shown = [report.dataset.name, report.judge.metric, report.gate.conditions[0].name, report.run.host]
    assert all(_normal(printable(text)) in said for text in shown)
    harmless = parsed(html(sample_reports.hostile(["x"])))
    assert {element.tag for element in tree.iter()} - {element.tag for element in harmless.iter()} <= SOMETIMES


SOMETIMES = {"{http://www.w3.org/2000/svg}title", "title", "path", "defs", "use"}
"""Elements that depend on how many texts there are, and how long they are."""


def _normal(text):
    # Parsers turn line ends into one kind.
    return text.replace("\r\n", "\n").replace("\r", "\n")


# Roles of the style sheet: letters and what they stand on (WCAG AA: 4.5), shapes and what they stand on (3).
LETTERS = [
    *((ink, ground) for ink in ("ink", "muted", "accent") for ground in ("page", "card", "sunk")),
    ("ink", "wash"), ("muted", "wash"), ("unscored", "card"), ("pass", "card"), ("fail", "card"),
    *((role, f"{role}-wash") for role in ("pass", "fail", "unscored", "doubt")),
]  # fmt: skip
SHAPES = [*((role, "card") for role in ("control", "accent", "pass", "fail", "unscored", "doubt")), ("accent", "wash")]
SHADES = 0.56
"""Share of the colour in the darkest cell of the confusion matrix."""


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_colours_contrast_enough(theme):
    style = files("evals.reports.html").joinpath("assets", "report.css").read_text(encoding="utf-8")
    found = re.findall(r"--([\w-]+): light-dark\(#(\w{6}), #(\w{6})\)", style)
    colours = {name: [int(both[theme][i : i + 2], 16) for i in (0, 2, 4)] for name, *both in found}
    assert f"--share: {SHADES:.0%}" in style
    for name in ("right", "wrong"):
        mixed = [SHADES * hue + (1 - SHADES) * card for hue, card in zip(colours[name], colours["card"], strict=True)]
        colours[f"darkest {name}"] = mixed
    pairs = [(pair, 4.5) for pair in [*LETTERS, ("ink", "darkest right"), ("ink", "darkest wrong")]]
    pairs += [(pair, 3.0) for pair in SHAPES]
    weak = {
        pair: contrast(*(colours[name] for name in pair))
        for pair, least in pairs
        if contrast(*(colours[name] for name in pair)) < least
    }
    assert weak == {}


def contrast(one, other):
    """WCAG 2's ratio of two colours."""

    def luminance(colour):
        linear = [part / 255 / 12.92 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in colour]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def test_the_page_shows_what_the_report_says_and_computes_nothing():
    report = sample_reports.small()
    row = report.categories[0].model_copy(
        update={"pass_rate": PassRate(rate=0.123, low=0.045, high=0.678, confidence=0.95)}
    )
    told = report.model_copy(
        update={
            "pass_rate": PassRate(rate=0.4321, low=0.1234, high=0.8765, confidence=0.9),
            "categories": [row, *report.categories[1:]],
        }
    )
    page = parsed(html(told))
    said = " ".join(text_of(page).split())
    assert "43.2%" in said
    assert "12.3% to 87.7%" in said or "12.3% to 87.6%" in said
    assert "4.5% to 67.8%" in said


def test_everything_that_a_policy_can_ask_for_is_told_in_its_unit():
    said = " ".join(text_of(parsed(html(sample_reports.compared()))).split())
    assert "corrected pass rate 86.1% 83.6% to 88.4% at least 80% pass" in said
    assert "difference to the baseline +2.9 points" in said
    assert "at least \N{MINUS SIGN}2.0 points" in said
    assert "unscored samples 0 \N{EN DASH} at most 0 pass" in said
    assert "judge's flip rate \N{EN DASH} \N{EN DASH} at most 5% inconclusive" in said
    assert "sensitivity 97.6% 87.1% to 99.7% 20" in said
    assert "Difference of the pass rates+2.9 points" in said


def test_same_report_same_bytes_in_any_process():
    program = (
        "import hashlib, sys; from tests.evals.reports import sample_reports; from evals.reports.html import html;"
        "print(hashlib.sha256(html(sample_reports.panel()).encode()).hexdigest());"
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": seed}, check=True, text=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(answers) == 1
    assert answers.pop().splitlines()[1] == "[]"


def test_only_the_run_changes_the_page():
    report = sample_reports.small()
    later = report.model_copy(
        update={"run": sample_reports.run(finished="2027-01-01T00:00:00+00:00", host="elsewhere")}
    )
    before, after = html(report).splitlines(), html(later).splitlines()
    changed = [line for pair in zip(before, after, strict=True) if pair[0] != pair[1] for line in pair]
    assert changed
    assert all("2026" in line or "2027" in line or "runner-7" in line or "elsewhere" in line for line in changed)


@pytest.mark.parametrize(
    ("words", "least"), [("a text of common words ", 1000), ("宇宙と電子回路", 500), ("> <b>said</b> & meant ", 700)]
)
def test_a_full_run_with_the_longest_excerpts_fits(words, least):
    report = sample_reports.large([words * (1000 // len(words) + 1)])
    assert {len(sample.text) for sample in report.samples} == {1000}
    page = html(report)
    assert len(page.encode()) <= 15 * 2**20
    assert f'"excerpt":{least},' in page
