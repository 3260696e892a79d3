"""``duel.html``: hostile texts stay texts, and in a real browser it can be read, filtered and printed."""

import html as escapes
import re

import pytest

from evals.duel.page import html
from evals.duel.writing import read_duel
from tests.evals.duel.conftest import LONG, SHORT, Arena, planted
from tests.evals.reports.conftest import DESKTOP, PHONE, axe_violations, browser  # noqa: F401

HOSTILE = '</script><script>alert(1)</script><img src=x onerror=alert(1)> {{ 7 * 7 }} \u202e \x1b[31m"'


@pytest.fixture
def page_of(arena):
    """The page of a duel between these pairs of answers, judged by rule."""

    def make(pairs, *options, **given):
        arena.answers(pairs, **given)
        assert arena.hold(*options).code in (0, 3, 4)
        return (arena.out / "duel.html").read_text(encoding="utf-8")

    return make


def test_everything_stands_on_the_page(page_of):
    page = page_of([("reference 0 is", "nothing"), ("nothing", "reference 1"), ("same", "same ")], "--margin", "0.2")
    shown = escapes.unescape(re.sub(r"<[^>]+>", " ", page))
    for words in ("reference 0 is", "Answer 1 is closer", "A wins", "Inconclusive", "rule and no LLM", "Position bias"):
        assert words in shown
    assert page.count('class="bout"') == 3


def test_hostile_texts_stay_texts(page_of):
    page = page_of(
        [(HOSTILE, "a"), ("b", HOSTILE)], references=[HOSTILE, "x"], questions=[HOSTILE, "q"], categories=[HOSTILE, "c"]
    )
    assert page.count("<script") == 1
    assert "<img" not in page
    assert "49" not in re.sub(r"sha256-\S+|<svg.*?</svg>|<style>.*?</style>", "", page, flags=re.DOTALL)
    assert "\x1b" not in page


def test_long_answers_do_not_make_a_page_that_does_not_open(page_of):
    page = page_of([("x" * 300_000, "y" * 300_000 + str(number)) for number in range(20)])
    assert len(page) < 10_000_000
    assert "more characters)" in page


def test_a_page_is_made_from_duel_json_alone(arena):
    arena.answers([*planted(3, 2, 1), ("same", "same")], categories=["a", "b"] * 3 + ["a"])
    arena.hold()
    assert html(read_duel(arena.out)) == (arena.out / "duel.html").read_text(encoding="utf-8")


def test_whose_figures_are_whose_where_people_decide(arena):
    rows = arena.answers(planted(3, 1, 0))
    ratings = arena.folder / "anna.csv"
    ratings.write_text("id,rating\n" + "".join(f"{row.id},{said}\n" for row, said in zip(rows, "BAA", strict=False)))
    sentence = "A row is won only if the judge preferred the same answer in both orders"

    arena.hold("--margin", "0.2", "--ratings", ratings)
    by_judge = (arena.out / "duel.html").read_text(encoding="utf-8")
    arena.hold("--margin", "0.2", "--ratings", ratings, "--decide-by", "people")
    by_people = (arena.out / "duel.html").read_text(encoding="utf-8")

    assert (sentence in by_judge, "What the judge said" in by_judge) == (True, False)
    assert (sentence in by_people, "What the judge said" in by_people) == (False, True)
    assert "A row is won by the answer that most people preferred" in by_people
    assert "B wins 1 of 3 rows, A wins 2, 0 are ties" in by_people


def test_a_file_that_is_no_duel(arena):
    arena.out.mkdir()
    (arena.out / "duel.json").write_text('{"schema_version": 2}')
    refused = arena.run("label", "duel", arena.out, "--output", arena.folder / "sheet.csv")
    assert (refused.code, "is no duel.json of version 1" in refused.errors) == (2, True)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The page of a duel in two categories, held in another process: a browser's event loop is in this one."""
    arena = Arena(tmp_path_factory.mktemp("duel"), None)
    questions = ["about anchovies", *(f"question {number}" for number in range(9))]
    references = [LONG] * 6 + [SHORT] * 4
    arena.answers(planted(6, 4, 0), categories=["refunds", "shipping"] * 5, references=references, questions=questions)
    assert arena.start("--margin", "0.2").wait(timeout=120) in (0, 4)
    return (arena.out / "duel.html").as_uri()


@pytest.mark.slow
class TestBrowser:
    @pytest.fixture
    def opened(self, address, browser):  # noqa: F811
        """Opens the page; nothing may be asked for or complained about."""
        unwanted, contexts = [], []

        def open_page(**given):
            context = browser.new_context(viewport=DESKTOP, reduced_motion="reduce", **given)
            contexts.append(context)
            page = context.new_page()
            page.on("console", lambda message: unwanted.append(message.text))
            page.on("pageerror", lambda error: unwanted.append(str(error)))
            page.on(
                "request", lambda request: request.url.startswith(("data:", address)) or unwanted.append(request.url)
            )
            page.goto(address)
            return page

        yield open_page
        for context in contexts:
            context.close()
        assert not unwanted

    def test_filters(self, opened):
        page = opened()
        count, rows = page.locator("#count"), page.locator(".bout:visible")
        outcomes = [row.get_attribute("data-outcome") for row in page.locator(".bout").all()]
        page.locator("#outcome").select_option("B")
        assert rows.count() == outcomes.count("B") > 0
        page.locator("#category").select_option("refunds")
        assert 0 < rows.count() < outcomes.count("B")
        page.locator("#query").fill("ANCHOVIES about")
        assert rows.count() == 1
        page.locator("#query").fill("nothing like this")
        assert count.text_content() == "No row matches (10 in all)"
        page.get_by_role("button", name="Clear").click()
        page.wait_for_function("document.querySelectorAll('.bout:not([hidden])').length === 10")
        assert count.text_content() == "10 rows"

    def test_from_the_keyboard(self, opened):
        page = opened()
        summary = page.locator(".bout summary").nth(1)
        summary.focus()
        page.keyboard.press("Enter")
        assert page.locator(".bout").nth(1).get_attribute("open") is not None

    def test_without_scripts_all_rows_are_there(self, opened):
        page = opened(java_script_enabled=False)
        assert page.locator(".bout:visible").count() == 10
        assert not page.locator("#filters").is_visible()

    def test_nothing_is_wider_than_the_screen(self, opened):
        page = opened()
        page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true; })")
        widths = [320, 375, 768, 1024, 1920]
        found = []
        for width in widths:
            page.set_viewport_size({"width": width, "height": 800})
            found.append(page.evaluate("document.documentElement.scrollWidth"))
        assert found == widths

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
    def test_axe_finds_nothing_to_complain_about(self, opened, scheme, size):
        page = opened(color_scheme=scheme)
        page.set_viewport_size(size)
        page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true; })")
        assert axe_violations(page) == []
