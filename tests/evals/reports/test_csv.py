"""The samples as CSV: every text comes back, and none runs as a formula."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.reports.samples_csv import COLUMNS, samples_csv
from fixtures.contracts.files import printable
from tests.evals.reports import sample_reports
from tests.evals.reports.report_parts import report, samples

ONE = samples(1)[0]


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def one(**given):
    return rows_of(samples_csv(report([ONE.model_copy(update=given)])))[0]


def test_one_row_for_each_sample_under_a_header():
    made = sample_reports.incomplete()
    rows = rows_of(samples_csv(made))
    assert [row["id"] for row in rows] == [sample.id for sample in made.samples]
    assert tuple(rows[0]) == COLUMNS
    assert [row["score"] for row in rows] == ["" if row.score is None else str(row.score) for row in made.samples]
    assert {row["state"] for row in rows} == {"passed", "failed", "unscored"}


def test_the_form_is_rfc_4180():
    text = samples_csv(report([ONE.model_copy(update={"reason": 'a "quoted", word', "text": "two\nlines"})]))
    assert text.startswith('"id","expected",')
    assert '"a ""quoted"", word"' in text
    assert text.count("\r\n") == 2
    assert text.endswith("\r\n")


@settings(max_examples=100, deadline=None)
@given(*[st.text(alphabet=st.characters(exclude_categories=()), max_size=60)] * 4)
def test_every_text_comes_back(reason, text, predicted, raw):
    row = one(reason=reason, text=text, predicted=predicted, raw=raw)
    for name, value in {"reason": reason, "text": text, "predicted": predicted, "raw": raw}.items():
        assert row[name].removeprefix("'") == printable(value)


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n", "'", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
@pytest.mark.parametrize("before", ["", " ", "\u3000", "\ufeff"])
def test_no_text_is_a_formula(sign, before):
    text = f"{before}{sign}cmd|' /C calc'!A0"
    assert one(predicted=text)["predicted"] == f"'{text}"


@pytest.mark.parametrize("text", ["a=b", "1 - 1", "talk.politics.misc", "x@example.org", "don't"])
def test_an_honest_text_stays_as_it_is(text):
    assert one(predicted=text)["predicted"] == text


def test_hostile_reports_are_utf_8():
    made = sample_reports.hostile()
    assert len(rows_of(samples_csv(made).encode("utf-8").decode("utf-8"))) == len(made.samples)
