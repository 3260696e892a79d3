"""Texts under test stay data in the judge's prompt."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.judges import Judgement
from evals.judges.probes import CONTROL, PROBES
from evals.judges.untrusted import as_data
from evals.metrics.category_precision import category_precision

HEADING = re.compile(r"^\s*(Actual Output|Expected Output|Rubric|Evaluation Steps|Test Case|JSON):", re.MULTILINE)


@pytest.mark.parametrize(
    "text", ["sci.space", "comp.os.ms-windows.misc", "Sport & Freizeit", "ニュース・科学", "sci.space, sci.med"]
)
def test_categories_are_shown_as_they_are(text):
    assert as_data(text) == text


@given(st.text())
def test_whatever_is_quoted_can_be_read_back(text):
    shown = as_data(text)
    assert shown == text or json.loads(shown) == text


@given(st.text())
def test_no_text_draws_a_line_or_a_control_token(text):
    shown = as_data(text)
    assert not re.search(r"[\n\r\u2028\u2029<>|\u200b]", shown)


@pytest.mark.parametrize("probe", PROBES, ids=[probe.name for probe in PROBES])
def test_no_probe_changes_the_outline_of_the_prompt(probe):
    """The same headings and the same number of lines as around a harmless pair."""
    plain, attacked = category_precision(0.8).prompt(CONTROL), category_precision(0.8).prompt(probe.judgement)
    assert HEADING.findall(attacked) == HEADING.findall(plain)
    assert len(attacked.splitlines()) == len(plain.splitlines())


def test_the_prompt_holds_the_pair_once_each():
    prompt = category_precision(0.8).prompt(Judgement("rec.autos", "sci.space"))
    assert (prompt.count("rec.autos"), prompt.count("sci.space")) == (1, 1)
