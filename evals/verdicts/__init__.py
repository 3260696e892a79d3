"""Verdicts, and the store that keeps them.

Three names are all that judging needs: what was `Asked`, what the judge's
answer said and cost (`Paid`), and the `VerdictStore` that joins the two for
good. A `Verdict` is what the rest of the evaluation sees of it.
"""

from evals.verdicts.records import Asked, Paid, Verdict
from evals.verdicts.store import VerdictStore

__all__ = ["Asked", "Paid", "Verdict", "VerdictStore"]
