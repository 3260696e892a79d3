"""The page in a real browser: keyboard, themes, print, phones, and axe-core's rules."""

import pytest

from tests.evals.reports.conftest import DESKTOP, PHONE, axe_violations

pytestmark = pytest.mark.slow


def test_everything_works_from_the_keyboard(opened):
    report, page = opened("failing")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the report"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.locator(".matrix button").first.focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "samples-title"
    page.keyboard.press("Tab")
    page.keyboard.type("alt.atheism")
    assert page.locator("#query").input_value() == "alt.atheism"
    page.keyboard.press("Enter")  # does not leave the page
    for _ in range(4):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Clear"
    page.keyboard.press("Space")
    assert page.locator("#count").text_content() == f"Samples 1 to 50 of {len(report.samples)}"
    first = page.locator("#rows th button").first
    first.focus()
    page.keyboard.press("Enter")
    assert first.get_attribute("aria-expanded") == "true"
    outline = first.evaluate("button => getComputedStyle(button).outlineStyle")
    assert outline == "solid"
    page.get_by_role("button", name="Last").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "samples-title", (
        "the focus is lost with a button that was disabled"
    )


def test_the_theme_can_be_chosen_and_is_kept_nowhere(opened):
    _, page = opened("small", color_scheme="light")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.get_by_role("button", name="Dark colours").click()
    assert page.evaluate(background) != light
    page.get_by_role("button", name="Light colours").click()
    assert page.evaluate(background) == light
    assert page.context.cookies() == []
    assert page.evaluate("localStorage.length + sessionStorage.length") == 0


def test_without_scripts_everything_but_the_samples_is_there(opened):
    report, page = opened("failing", java_script_enabled=False)
    assert page.locator("noscript .notice").is_visible()
    assert page.locator("svg.wide").count() == 5
    assert page.locator("#categories tbody tr").count() == len(report.categories)
    assert not page.locator("#filters").is_visible()
    assert page.locator("button:visible").count() == 0


def test_print_shows_details_and_no_controls(opened):
    _, page = opened("panel", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert not page.locator("#filters").is_visible()
    assert page.get_by_text("Settings of the evaluation").count() == 1
    assert page.locator("#run details").first.get_attribute("open") is not None
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


@pytest.mark.parametrize(
    "kind", ["small", "panel", "incomplete", "hostile", "many_categories", "compared", "unevaluated"]
)
def test_nothing_is_wider_than_the_screen(opened, kind):
    _, page = opened(kind)
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true; })")
    page.locator("#rows th button").first.click()
    widths = [320, 375, 600, 768, 800, 1024, 1280, 1920]
    found = []
    for width in widths:
        page.set_viewport_size({"width": width, "height": 800})
        found.append(page.evaluate("document.documentElement.scrollWidth"))
    assert found == widths
    # Captions that a column squeezed to a letter a line are not too wide, but too high.
    assert max(part.bounding_box()["height"] for part in page.locator("figcaption:visible").all()) < 200


@pytest.mark.parametrize("kind", ["failing", "panel", "incomplete", "compared", "many_categories"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_to_complain_about(opened, kind, scheme, size):
    _, page = opened(kind, color_scheme=scheme)
    page.set_viewport_size(size)
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true; })")
    page.locator("#rows th button").first.click()
    assert axe_violations(page) == []
