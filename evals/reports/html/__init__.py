"""``report.html``: the report as one page that a person opens, with nothing to fetch.

``page``      the page from its template, its style and script inlined
``charts``    what is drawn; ``drawing`` makes SVG of it that follows the page's colours
``wording``   figures as people read them
``tables``    rows of the report, grouped for the page
``samples``   the samples as data for the page's script
"""

from __future__ import annotations

from evals.reports.html.page import html

__all__ = ["html"]
