"""A real browser with a page in it, watched for whatever a report must not do."""

import shutil

import pytest

from evals.reports.html import html
from tests.evals.reports import sample_reports

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DESKTOP = {"width": 1280, "height": 900}


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
            report = getattr(sample_reports, kind)()
            path = folder / f"{kind}.html"
            path.write_text(html(report), encoding="utf-8")
            made[kind] = (report, path.as_uri())
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
