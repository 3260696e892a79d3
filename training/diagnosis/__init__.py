"""Reading learning curves: which checkpoint is best, and what the training suffered from.

A log is read (`sources`) into rows, rows are understood (`dialects`) and cleaned
(`points`) into curves, and a verdict rests on figures with intervals
(`trends`, `evidence`, `verdict`).
"""

from training.diagnosis.command import diagnose
from training.diagnosis.curves import Best, Curves, Measure, Series, best_checkpoint
from training.diagnosis.points import curves_of
from training.diagnosis.sources import read_log
from training.diagnosis.verdict import Kind, Verdict, judge

__all__ = [
    "Best",
    "Curves",
    "Kind",
    "Measure",
    "Series",
    "Verdict",
    "best_checkpoint",
    "curves_of",
    "diagnose",
    "judge",
    "read_log",
]
