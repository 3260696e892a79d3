"""Links, pictures, code of other languages, and the two languages of the README."""

from __future__ import annotations

import ast
import json
import re
import xml.etree.ElementTree as ET
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.pages import PAGES, ROOT, Page

README = Page(ROOT / "README.md")
README_JA = Page(ROOT / "README.ja.md")


def targets(page):
    """Links into this project: as written, the file, what stands after #."""
    for link in page.links:
        parts = urlsplit(link)
        if not parts.scheme and not parts.netloc:
            path = (page.path.parent / unquote(parts.path)).resolve() if parts.path else page.path
            yield link, path, unquote(parts.fragment)


@pytest.mark.parametrize("page", [pytest.param(Page(path), id=Page(path).name) for path in PAGES])
def test_links_lead_somewhere(page):
    broken = [
        link
        for link, path, fragment in targets(page)
        if not path.is_relative_to(ROOT)
        or not path.exists()
        or (fragment and path.suffix == ".md" and fragment not in Page(path).anchors)
    ]
    assert not broken


def test_every_page_can_be_reached_from_the_readme():
    seen, open_ends = set(), [README.path]
    while open_ends:
        path = open_ends.pop()
        if path not in seen:
            seen.add(path)
            open_ends += [target for _, target, _ in targets(Page(path)) if target.suffix == ".md" and target.is_file()]
    assert not {path.relative_to(ROOT).as_posix() for path in set(PAGES) - seen}


def test_every_picture_is_shown_and_intact():
    shown = {path for page in PAGES for _, path, _ in targets(Page(page))}
    pictures = sorted((ROOT / "docs/images").iterdir())
    assert not [path.name for path in pictures if path not in shown]
    for path in pictures:
        if path.suffix == ".svg":
            assert ET.parse(path).getroot().tag == "{http://www.w3.org/2000/svg}svg", path
        else:
            assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n"), path


def test_blocks_of_json_and_python_are_well_formed():
    wrong = []
    for page in map(Page, PAGES):
        for language, code in page.blocks:
            try:
                if language == "json":
                    # One value, or one a line as in a data file.
                    documents = [code] if code.startswith("{\n") else code.splitlines()
                    list(map(json.loads, documents))
                elif language == "python":
                    ast.parse(code)
            except (ValueError, SyntaxError) as error:
                wrong.append(f"{page.name}: {error}: {code[:60]}")
    assert not wrong


class TestBothReadmesSayTheSame:
    """In two languages."""

    def test_code_but_for_comments(self):
        first, second = (
            [(language, re.sub(r"\s+#.*$", "", code, flags=re.MULTILINE)) for language, code in page.blocks]
            for page in (README, README_JA)
        )
        assert second == first

    def test_links(self):
        first, second = (
            {link.replace(".ja.md", ".md") for link in page.links if not link.startswith("README")}
            for page in (README, README_JA)
        )
        assert second == first
        assert "README.ja.md" in README.links
        assert "README.md" in README_JA.links

    def test_inline_code(self):
        first, second = (set(page.inline_code) for page in (README, README_JA))
        assert second == first
