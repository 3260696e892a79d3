"""``python -m training diagnose``: what do these curves say?"""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from fixtures.contracts.errors import UserError
from training.diagnosis.curves import best_checkpoint
from training.diagnosis.picture import FORMATS, draw
from training.diagnosis.points import curves_of
from training.diagnosis.show import as_json, show
from training.diagnosis.sources import read_log
from training.diagnosis.verdict import judge

__all__ = ["diagnose"]


def diagnose(log: Path, *, out: Path | None, as_data: bool, console: Console) -> None:
    """Read ``log``, a file or a folder; print what it says, as JSON if ``as_data``, and draw it to ``out``.

    Raises UserError for what cannot be read, drawn or written.
    """
    if out is not None and out.suffix.lower() not in FORMATS:
        raise UserError(f"--out {out}: name a file that ends in {' or '.join(FORMATS)}")
    if out is not None and out.is_dir():
        raise UserError(f"--out {out} is a folder; name a file")
    found = read_log(log)
    curves = curves_of(found)
    best, verdict = best_checkpoint(curves), judge(curves)
    if as_data:
        console.out(as_json(found.name, curves, best, verdict), highlight=False)
    else:
        show(found.name, curves, best, verdict, console)
    if out is not None:
        draw(curves, best, f"{Path(found.name).name}: {verdict.kind}", out)
        if not as_data:
            console.print(f"picture: {out}", markup=False)
