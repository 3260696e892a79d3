"""The page in a real browser: what hostile texts cannot do."""

import pytest

from fixtures.contracts.files import printable

pytestmark = pytest.mark.slow


def test_hostile_texts_stay_texts(opened):
    report, page = opened("hostile")
    for details in page.locator("details").all():
        details.evaluate("details => { details.open = true; }")
    for button in page.locator("#rows th button").all():
        button.click()
    for button in page.locator(".matrix button").all():
        button.dispatch_event("click")
    page.get_by_role("button", name="Clear").click()
    assert set(page.locator("#rows th button").all_text_contents()) == {printable(row.id) for row in report.samples}
    assert page.evaluate("document.scripts.length") == 2
    assert page.evaluate("document.querySelectorAll('img, iframe, [onload], [onerror], h1').length") == 1
    page.wait_for_timeout(200)


def test_the_policy_stops_what_would_get_in(opened, browser, written):
    """The last wall: even markup that got in could neither run nor load anything."""
    context = browser.new_context()
    page = context.new_page()
    refused, answered = [], []
    page.on("console", lambda message: refused.append(message.text))
    page.on("response", lambda response: answered.append(response.url))
    page.goto(written("small")[1])
    assert page.evaluate("() => { try { document.body.innerHTML = '<b>x</b>'; return false } catch { return true } }")
    page.evaluate(
        """() => {
            const image = document.createElement("img");
            image.src = "https://example.org/x.png";
            document.body.append(image);
            fetch("https://example.org/").catch(() => {});
            document.body.setAttribute("style", "display: none");
        }"""
    )
    page.wait_for_timeout(300)
    assert page.locator("main").is_visible()
    assert not [address for address in answered if address.startswith("http")]
    for directive in ("img-src", "connect-src", "style-src"):
        assert any(directive in line and "Content Security Policy" in line for line in refused), refused
    context.close()
