"""One JSON is the source, everything else a projection of it.

``model``     what ``report.json`` holds; its parts in ``subject``, ``rows``, ``trust``, ``run``, ``shards``
``build``     from a finished evaluation to that
``html``, ``junit``, ``deepeval``, ``markdown``, ``samples_csv``, ``terminal``   the projections
``deepeval_run``   what `deepeval test run` leaves behind
"""

from __future__ import annotations

from pathlib import Path

from evals.reports.model import Report, Verdict
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import sha256_text, write_atomic

__all__ = ["FILES", "Report", "Verdict", "read_report", "remove_reports", "write_reports"]

FILES = (
    "verdict.json", "report.json", "report.html", "junit.xml", "deepeval-result.json", "summary.md", "samples.csv",
)  # fmt: skip


def remove_reports(folder: Path) -> None:
    """Remove what an earlier run left: an old verdict must not outlive its run."""
    for name in FILES:
        try:
            (folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise UserError(f"cannot remove {folder / name} of an earlier run: {error.strerror}") from error


def write_reports(report: Report, folder: Path) -> None:
    """Write all files; ``verdict.json`` last, so that it never stands without the others."""
    from evals.reports.deepeval import deepeval_json
    from evals.reports.html import html
    from evals.reports.junit import junit_xml
    from evals.reports.markdown import markdown
    from evals.reports.samples_csv import samples_csv

    text = report.to_json()
    write_atomic(folder / "report.json", text)
    write_atomic(folder / "report.html", html(report))
    write_atomic(folder / "junit.xml", junit_xml(report))
    write_atomic(folder / "deepeval-result.json", deepeval_json(report))
    write_atomic(folder / "summary.md", markdown(report))
    write_atomic(folder / "samples.csv", samples_csv(report))
    verdict = Verdict(gate=report.gate, report_digest=sha256_text(text))
    write_atomic(folder / "verdict.json", verdict.to_json())


def read_report(path: Path) -> Report:
    """A report from its file. Raises UserError if it is none."""
    from pydantic import ValidationError

    try:
        return Report.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(f"cannot read report {path}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = "".join(f"{part}: " for part in [".".join(map(str, first["loc"]))] if part)
        raise UserError(f"{path} is no report of this version: {place}{first['msg']}") from error
