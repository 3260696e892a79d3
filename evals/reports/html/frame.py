"""What all pages have in common: one file, nothing fetched, no text under test ever markup.

A report shows texts that anybody may have written: news, a model's answers, a
judge's reasons. Three walls stand between them and the reader's browser: the
templates escape everything, the script writes text nodes only, and the page's
own security policy forbids every script and style but those whose digests it
names, and every connection.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from evals.reports.html.wording import FILTERS
from fixtures.contracts.files import printable

__all__ = ["asset", "render"]

_ICON_COLOURS = {"pass": "#00745a", "fail": "#b3400a", "inconclusive": "#8a5a00", "incomplete": "#8f3f74"}


def render(template: str, *, style: str, script: str = "", colour: str, **values: Any) -> str:
    """A self-contained page. ``colour``: the outcome whose colour the browser's tab shows."""
    return (
        _environment()
        .get_template(template)
        .render(
            icon=_icon(colour),
            policy=_policy(style, script),
            style=Markup(style),
            script=Markup(script),
            **values,
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("evals.reports.html", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS
    return environment


def _shown(value: Any) -> Any:
    # Settings may hold what UTF-8 cannot: lone surrogates.
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def asset(name: str) -> str:
    """A style sheet or a script."""
    return files("evals.reports.html").joinpath("assets", name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; img-src data:; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"


def _icon(outcome: str) -> str:
    """A dot in the outcome's colour for the browser's tab."""
    colour = _ICON_COLOURS.get(outcome, "#59616e")
    dot = f'<circle cx="8" cy="8" r="7" fill="{colour}"/>'
    return "data:image/svg+xml," + quote(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">{dot}</svg>')
