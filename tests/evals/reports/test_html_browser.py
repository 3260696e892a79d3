"""The page in a real browser: what a reader does with it."""

import pytest

from tests.evals.reports.conftest import PHONE

pytestmark = pytest.mark.slow


def names(page):
    return page.locator("#rows th button").all_text_contents()


def column(page, number):
    return page.locator(f"#rows tr:not(.detail) td:nth-child({number})").all_text_contents()


def count(page):
    return page.locator("#count").text_content()


@pytest.mark.parametrize(
    "kind", ["small", "failing", "inconclusive", "incomplete", "all_pass", "all_unscored", "unevaluated"]
)
def test_the_verdict_stands_on_top(opened, kind):
    report, page = opened(kind)
    badge = page.locator("#verdict .badge.large")
    assert badge.text_content().strip().lower() == report.gate.outcome
    assert badge.bounding_box()["y"] < 400
    assert page.title().lower().startswith(report.gate.outcome)
    shown = f"Samples 1 to {min(50, len(report.samples))} of {len(report.samples)}"
    assert count(page) == shown


def test_charts_are_drawn_in_the_pages_colours(opened):
    _, page = opened("small", color_scheme="dark")
    light, dark = opened("small", color_scheme="light")[1], page
    fills = [
        shown.locator("#verdict svg.wide text").first.evaluate("text => getComputedStyle(text).fill")
        for shown in (light, dark)
    ]
    assert fills[0] != fills[1]
    assert page.locator("svg.wide.pass-rate").is_visible()
    assert not page.locator("svg.narrow.pass-rate").is_visible()
    page.set_viewport_size(PHONE)
    assert page.locator("svg.narrow.pass-rate").is_visible()
    assert not page.locator("svg.wide.pass-rate").is_visible()


def test_search_finds_words_of_text_category_reason_and_id(opened):
    report, page = opened("panel")
    wanted = report.samples[17]
    page.locator("#query").fill(wanted.id)
    assert names(page) == [wanted.id]
    page.locator("#query").fill(wanted.text.splitlines()[0].upper())
    assert names(page) == [wanted.id]
    page.locator("#query").fill("unrelated sci.med")
    assert len(names(page)) == sum(
        all(
            word in f"{row.id}\n{row.expected}\n{row.predicted}\n{row.reason}\n{row.text}".lower()
            for word in ("unrelated", "sci.med")
        )
        for row in report.samples
    )
    page.locator("#query").fill("宇宙")
    assert len(names(page)) == min(50, sum("宇宙" in row.text for row in report.samples))
    page.locator("#query").fill("nobody wrote this")
    assert count(page) == "No sample matches (300 in all)"
    page.get_by_role("button", name="Clear").click()
    assert page.locator("#query").input_value() == ""
    assert count(page) == "Samples 1 to 50 of 300"


def test_filters_by_state_and_category(opened):
    report, page = opened("incomplete")
    page.get_by_role("combobox", name="State").select_option("unscored")
    assert set(column(page, 2)) == {"unscored"}
    assert len(names(page)) == report.tally.unscored
    page.get_by_role("combobox", name="Expected").select_option("sci.med")
    assert len(names(page)) == sum(row.state == "unscored" and row.expected == "sci.med" for row in report.samples)
    page.get_by_role("combobox", name="State").select_option("All states")
    assert set(names(page)) == {row.id for row in report.samples if row.expected == "sci.med"}
    page.get_by_role("combobox", name="Expected").select_option("All categories")
    page.get_by_role("combobox", name="Answered").select_option("(any other answer)")
    assert set(column(page, 5)) == {"I am not sure, maybe space?"}


def test_a_confusion_cell_shows_its_samples(opened):
    report, page = opened("failing")
    labels, matrix = report.classic.confusion.labels, report.classic.confusion.matrix
    most, i, j = max((matrix[i][j], i, j) for i in range(20) for j in range(20) if i != j)
    page.get_by_role("button", name=f"{most} expected {labels[i]}, answered {labels[j]}: show").click()
    wanted = {row.id for row in report.samples if (row.expected, row.predicted) == (labels[i], labels[j])}
    assert len(wanted) == most
    assert set(names(page)) == wanted
    assert page.evaluate("document.activeElement.id") == "samples-title"
    assert 0 <= page.locator("#samples").bounding_box()["y"] < 200


def test_a_count_of_a_category_shows_its_samples(opened):
    report, page = opened("failing")
    worst = min(report.categories, key=lambda row: (row.pass_rate.rate, row.category))
    page.get_by_role("button", name=f"{worst.tally.failed} failed samples of {worst.category}: show").click()
    assert set(names(page)) == {
        row.id for row in report.samples if row.expected == worst.category and row.state == "failed"
    }


def test_sorting_turns_around_and_is_announced(opened):
    report, page = opened("incomplete")
    heading = page.locator("th", has=page.get_by_role("button", name="Score", exact=True))
    assert heading.get_attribute("aria-sort") == "ascending"
    assert column(page, 3)[: report.tally.unscored] == ["\N{EN DASH}"] * report.tally.unscored
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert set(column(page, 3)) == {"1.0"}
    page.get_by_role("button", name="Sample", exact=True).click()
    assert heading.get_attribute("aria-sort") is None
    assert names(page) == sorted(row.id for row in report.samples)[:50]
    page.get_by_role("button", name="Answered", exact=True).click()
    assert column(page, 5) == sorted(row.predicted for row in report.samples)[:50]


def test_pages_of_all_samples(opened):
    report, page = opened("large")
    seen = names(page)
    for button, shown in (("Next", "Page 2 of 151"), ("Last", "Page 151 of 151"), ("Previous", "Page 150 of 151")):
        page.get_by_role("button", name=button).click()
        assert page.locator("#page").text_content() == shown
        seen += names(page)
    assert len(set(seen)) == len(seen) == 50 + 50 + 32 + 50
    assert not page.get_by_role("button", name="Last").is_disabled()
    page.get_by_role("button", name="First").click()
    assert page.get_by_role("button", name="Previous").is_disabled()
    assert count(page) == f"Samples 1 to 50 of {len(report.samples):,}"


def test_a_row_opens_with_all_there_is(opened):
    report, page = opened("incomplete")
    sample = next(row for row in report.samples if row.raw)
    page.locator("#query").fill(sample.id)
    button = page.get_by_role("button", name=sample.id)
    assert button.get_attribute("aria-expanded") == "false"
    button.click()
    assert button.get_attribute("aria-expanded") == "true"
    detail = page.locator(f"#{button.get_attribute('aria-controls')}")
    said = detail.locator("pre").all_text_contents()
    assert said == [sample.raw, sample.text]
    assert sample.error in detail.text_content()
    button.click()
    assert detail.count() == 0


def test_a_link_leads_to_its_sample(opened):
    report, page = opened("large")
    sample = report.samples[6543]
    _, page = opened("large", place=f"#sample-{sample.id}")
    button = page.get_by_role("button", name=sample.id)
    assert button.get_attribute("aria-expanded") == "true"
    assert page.evaluate("document.activeElement.textContent") == sample.id
    page.locator("#query").fill("nobody wrote this")
    other = report.samples[5]
    page.evaluate("id => { location.hash = `#sample-${id}`; }", other.id)
    page.get_by_role("button", name=other.id).wait_for()
    assert page.locator("#query").input_value() == ""
    page.evaluate("location.hash = '#sample-%E0%A4%A'")  # no valid UTF-8
