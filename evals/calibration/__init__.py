"""Judges held against the truth: how often they err, and what their pass rate is worth.

``tables``, ``scale``, ``ratings``   what people filled in
``judgements``, ``fields``, ``foreign``   what a judge said, in a report of ours or elsewhere
``agreement``, ``truth``   what is true, and how far raters share it
``measure``, ``rates``, ``disagreements``   every figure
``model``     what a calibration file holds
``apply``     a stored calibration and a later run
``drawing``   which samples are worth a label
``text``, ``picture``   for people
"""

from evals.calibration.apply import CorrectedRate, corrected_rate, read_calibration
from evals.calibration.model import Calibration

__all__ = ["Calibration", "CorrectedRate", "corrected_rate", "read_calibration"]
