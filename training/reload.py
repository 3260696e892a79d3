"""Does a saved model folder answer as the trained model did? Asked in a fresh process.

Within the process that trained it, a model may look right because of state
that was never saved. And `from_pretrained` gives missing weights random values
with no more than a warning. So another interpreter loads the folder with the
plain Auto classes, as any user would, and its logits are compared.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.errors import TrainingFailed

__all__ = ["check_logits", "check_reloaded"]

# Spelled out here, and not one of our functions: what it must not do is to share our code.
_PROBE = """
import json, sys, torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
folder, rows = sys.argv[1], json.load(sys.stdin)
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
with torch.inference_mode():
    logits = []
    for text, length in rows:
        batch = tokenizer(text, truncation=True, max_length=length, return_tensors="pt")
        logits.append(model(**batch).logits[0].tolist())
print(json.dumps(logits))
"""


def check_reloaded(
    folder: Path, prompts: Sequence[str], expected: np.ndarray, *, max_length: int, tolerance: float
) -> float:
    """Compare the logits of ``folder`` for ``prompts`` with ``expected``; returns the largest difference.

    ``tolerance`` is absolute, in logits. Raises TrainingFailed beyond it, or
    when the folder does not load.
    """
    request = [[prompt, max_length] for prompt in prompts]
    return check_logits(_PROBE, folder, request, expected, tolerance=tolerance)


def check_logits(script: str, folder: Path, request: Any, expected: np.ndarray, *, tolerance: float) -> float:
    """Compare with ``expected`` the logits that ``script`` prints, given ``folder`` and ``request`` on its input.

    See `check_reloaded`.
    """
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "TRANSFORMERS_VERBOSITY": "error"}
    process = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    if process.returncode:
        reason = process.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise TrainingFailed(f"the saved model in {folder} does not load in a new process: {reason[0]}")
    difference = float(np.abs(np.array(json.loads(process.stdout)) - expected).max())
    # Written so that NaN fails as well.
    if not difference <= tolerance:
        raise TrainingFailed(
            f"the saved model in {folder} answers differently from the trained one: "
            f"its logits are off by {difference:.3g}, more than {tolerance:g}"
        )
    return difference
