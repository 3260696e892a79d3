"""A real browser with a page in it, watched for whatever a report must not do."""

import shutil
from pathlib import Path

import pytest

from evals.reports.html import html
from evals.reports.html.history import history_page
from tests.evals.reports import sample_reports

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 375, "height": 812}


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium here (Debian: apt-get install chromium)")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra `test`)")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Pages on disk, each made once."""
    folder, made = tmp_path_factory.mktemp("pages"), {}

    def write(kind):
        if kind not in made:
            path = folder / f"{kind}.html"
            if kind == "history":
                shown = sample_reports.history(folder / "runs")
                path.write_text(history_page(shown), encoding="utf-8")
            else:
                shown = getattr(sample_reports, kind)()
                path.write_text(html(shown), encoding="utf-8")
            made[kind] = (shown, path.as_uri())
        return made[kind]

    return write


@pytest.fixture
def opened(browser, written):
    """Opens a page; at the end, nothing may have been asked for, complained about or shown over it."""
    contexts, unwanted = [], []

    def open_page(kind, *, place="", **given):
        report, address = written(kind)
        context = browser.new_context(viewport=DESKTOP, reduced_motion="reduce", **given)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: unwanted.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: unwanted.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (unwanted.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("popup", lambda popup: unwanted.append(f"popup: {popup.url}"))
        page.on("request", lambda request: request.url.startswith(("data:", address)) or unwanted.append(request.url))
        page.goto(address + place)
        return report, page

    yield open_page
    for context in contexts:
        context.close()
    assert not unwanted


def axe_violations(page):
    """What axe-core's automatic rules find on the page as it is: rule and places."""
    axe = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed (extra `test`)")
    # Behind a gradient axe-core gives up on contrast.
    page.evaluate("document.querySelectorAll('.scroller').forEach(part => { part.style.background = 'none'; })")
    page.evaluate((Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    result = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [(found["id"], [node["target"] for node in found["nodes"]]) for found in result["violations"]]
