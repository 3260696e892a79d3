"""The page of an evaluation; `frame` says what keeps the texts in it from doing harm."""

from __future__ import annotations

from evals.classic import OTHER
from evals.reports.html import charts, learning, tables
from evals.reports.html.frame import asset, render
from evals.reports.html.samples import samples_json
from evals.reports.html.wording import OUTCOMES
from evals.reports.in_words import MEASURES, noise_in_words
from evals.reports.model import Report

__all__ = ["html"]


def html(report: Report) -> str:
    """The report as one self-contained page."""
    return render(
        "page.html",
        style=asset("report.css"),
        script=asset("report.js"),
        colour=report.gate.outcome,
        report=report,
        chat=report.task == "chat",
        measures=MEASURES,
        outcome=OUTCOMES[report.gate.outcome],
        data=samples_json(report),
        charts=charts,
        learning=learning,
        tables=tables,
        noise=noise_in_words(report),
        other=OTHER,
    )
