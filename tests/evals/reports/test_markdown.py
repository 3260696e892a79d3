"""The summary: the verdict first, short, and never longer than where it goes allows."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.reports.markdown import LEAST, LIMIT, WORST, escape, markdown
from tests.evals.reports import sample_reports
from tests.evals.reports.report_parts import report, samples

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=40)
HUGE = st.builds(lambda text, times: text * times, ANY_TEXT.filter(bool), st.sampled_from([1, 30, 3000]))
KINDS = ["small", "failing", "incomplete", "large", "all_pass", "many_categories", "panel", "compared", "hostile"]


def size(text):
    return len(text.encode("utf-8"))


def in_sight(summary):
    """Lines that are not folded away."""
    return re.sub(r"(?ms)^<details>$.*?^</details>$", "", summary).splitlines()


def check(summary, limit):
    assert size(summary) <= limit
    assert len(in_sight(summary)) < 60
    assert summary.count("<details>\n<summary>") == summary.count("\n</details>\n")
    # Nothing but our own markup, and no escape that lost its end.
    plain = re.sub(r"(?m)^<(details|/details|summary)>(.*</summary>)?$", "", summary)
    assert "<" not in plain
    assert not re.search(r"&(?!(amp|lt|gt);)", plain)
    for line in summary.splitlines():
        if line.startswith("| "):
            assert line.endswith(" |")
        assert not re.search(r"(?<!\\)(\\\\)*[\[\]`]", line)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("limit", [LIMIT, 65_535, 8000, LEAST])
def test_a_summary_stays_within_its_limit(kind, limit):
    made = getattr(sample_reports, kind)()
    summary = markdown(made, limit=limit)
    check(summary, limit)
    assert summary.startswith(f"# Evaluation: {made.gate.outcome}\n\n**")
    if kind != "hostile":
        assert summary.splitlines()[2] == f"**{escape(made.gate.sentence)}**"


@settings(max_examples=25, deadline=None)
@given(st.lists(HUGE, min_size=1, max_size=4), st.sampled_from([LIMIT, 65_535, 3000, LEAST]))
def test_no_text_is_too_long_or_cut_within_an_escape(texts, limit):
    check(markdown(sample_reports.hostile(texts), limit=limit), limit)


def test_what_is_left_out_is_said():
    made = sample_reports.large()
    whole, short = markdown(made), markdown(made, limit=8000)
    assert "Left out" not in whole
    assert short.splitlines()[-1] == (
        "*Left out to stay within 8,000 bytes: samples that did not pass, 11 to 40, samples that did not pass, "
        "41 to 70, samples that did not pass, 71 to 100. The whole of it is in the report.*"
    )
    assert "## Categories" in short


def test_a_limit_that_holds_nothing_is_refused():
    with pytest.raises(ValueError, match="held to 999 bytes; at least 1000"):
        markdown(sample_reports.small(), limit=LEAST - 1)


def test_many_categories_are_folded_and_few_are_not():
    rows = samples(100)
    few = [row for row in rows if row.expected < "rec.b"]
    assert "<summary>20 categories</summary>" in markdown(report(rows))
    assert "categories</summary>" not in markdown(report(few))


def test_failures_beyond_the_worst_are_folded():
    made = sample_reports.failing()
    summary = markdown(made)
    failed = made.tally.failed
    assert f"## Samples that did not pass (the worst 100 of {failed})" in summary
    assert len([line for line in in_sight(summary) if re.match(r"\| [a-z-]+-[0-9a-f]{8} ", line)]) == WORST
    assert len(re.findall(r"(?m)^\| [a-z-]+-[0-9a-f]{8} ", summary)) == 100


@pytest.mark.parametrize("text", ["https://evil.example", "WWW.evil.example", "@team", "someone@evil.example", "#12"])
def test_no_text_becomes_a_link(text):
    """GitHub and GitLab link these after Markdown is read: the backslash is gone by then."""
    shown = re.sub(r"\\(.)", r"\1", escape(text))
    assert shown != text
    assert shown.replace("\u200b", "") == text
    assert not re.search(r"://\w|www\.|[@#]\w", shown, re.IGNORECASE)
