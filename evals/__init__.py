"""Evaluation: samples, predictions, a judge's verdicts, one gate, reports.

Read in this order: ``test_category_precision``, ``plugin``, ``evaluation``,
``judging``, ``gate``.
"""

from __future__ import annotations

import os

# Read by DeepEval when it is imported or starts a run: nothing leaves this machine unasked.
os.environ.setdefault("DEEPEVAL_TELEMETRY_OPT_OUT", "YES")
os.environ.setdefault("DEEPEVAL_UPDATE_WARNING_OPT_IN", "NO")
# Its limit of 207 s for a whole batch drops what was not finished; we have our own.
os.environ.setdefault("DEEPEVAL_DISABLE_TIMEOUTS", "1")
