"""The page of a history in a real browser."""

import pytest

from tests.evals.reports.conftest import DESKTOP, PHONE, axe_violations

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_to_complain_about(opened, scheme, size):
    _, page = opened("history", color_scheme=scheme)
    page.set_viewport_size(size)
    assert axe_violations(page) == []


def test_every_report_is_told_the_latest_first(opened):
    history, page = opened("history", java_script_enabled=False)
    rows = page.locator(".history tbody tr")
    told = [" ".join(text.split()) for text in rows.all_text_contents()]
    assert len(told) == len(history.entries)
    for text, entry in zip(told, reversed(history.entries), strict=True):
        assert entry.report.gate.outcome in text.lower()
        assert (f"{entry.when:%Y-%m-%d}" if entry.when else "unknown") in text
    assert page.locator("#unread li").count() == len(history.unread) == 1


def test_each_kind_has_its_chart_in_the_pages_colours(opened):
    history, page = opened("history", color_scheme="light")
    kinds = {entry.measure for entry in history.entries if entry.report.pass_rate.rate is not None}
    assert len(kinds) > 2
    charts = page.locator("figure svg.wide")
    assert charts.count() == len(kinds)
    assert all(chart.is_visible() for chart in charts.all())
    dots = [chart.locator("use").count() for chart in charts.all()]
    assert sum(dots) == sum(entry.report.pass_rate.rate is not None for entry in history.entries)
    light = charts.first.locator("text").first.evaluate("text => getComputedStyle(text).fill")
    page.emulate_media(color_scheme="dark")
    assert charts.first.locator("text").first.evaluate("text => getComputedStyle(text).fill") != light
    page.set_viewport_size(PHONE)
    assert not charts.first.is_visible()
    assert page.locator("figure svg.narrow").first.is_visible()


def test_nothing_is_wider_than_the_screen(opened):
    _, page = opened("history")
    widths = [320, 375, 600, 768, 800, 1024, 1280, 1920]
    found = []
    for width in widths:
        page.set_viewport_size({"width": width, "height": 800})
        found.append(page.evaluate("document.documentElement.scrollWidth"))
    assert found == widths


def test_hostile_texts_stay_texts(opened):
    _, page = opened("history")
    assert "hostile <b>x" in page.locator(".history tbody").text_content()
    assert page.evaluate("document.scripts.length") == 0
    assert page.evaluate("document.querySelectorAll('img, iframe, b, [onload], [onerror]').length") == 0
