"""What numbers measured on samples are worth.

One idea runs through it: a rate is as good as the number of independent samples
it is worth, and its interval is Wilson's with that number. Repeats, copies,
verdicts shared by many samples and a judge corrected by labels only differ in
how that number is found. What each 95 % interval truly covers is measured in
``benchmarks/gate_coverage.py``.

==========================  ==============================================================
``rates``                   a pass rate: Wilson's interval, its one-sided bounds, the test
``clusters``                a rate over repeats and copies
``paired``                  two models on the same samples
``preferences``             two models' answers compared row by row, in both orders
``power``, ``paired_power``  how many samples a gate or a comparison needs
``multiple``                which of many conditions may be called failed
``agreement``               kappa and rank correlation of raters
``judge_error``             a judge's sensitivity and specificity
``rogan_gladen``            the rate behind a judge's, by its error rates
``prediction_powered``      the same by labels on a random part
``correction``              which of these to report, and why
``macro_f1``, ``bootstrap``  intervals for other figures
==========================  ==============================================================

Functions take numbers and lists, return named tuples, and raise ValueError with
the offending value for input that nothing can be made of. Nothing here knows of
pytest, judges or reports.
"""

from evals.statistics.agreement import Kappa, RankCorrelation, cohen_kappa, rank_correlation
from evals.statistics.bootstrap import bootstrap_interval
from evals.statistics.clusters import ClusteredRate, clustered_rate
from evals.statistics.correction import Correction, Method, correct_pass_rate
from evals.statistics.judge_error import Confusion, JudgeError, judge_error
from evals.statistics.macro_f1 import MacroF1, macro_f1
from evals.statistics.multiple import holm
from evals.statistics.paired import (
    NonInferiority,
    Pairs,
    count_pairs,
    mcnemar_exact,
    mcnemar_midp,
    noninferiority,
    paired_difference,
)
from evals.statistics.paired_power import noninferiority_power, noninferiority_samples, paired_power, paired_samples
from evals.statistics.power import GateChances, gate_chances, gate_samples, samples_to_decide
from evals.statistics.prediction_powered import (
    PredictionPowered,
    prediction_powered_mean,
    prediction_powered_rate,
)
from evals.statistics.preferences import OrderEffect, Preference, order_effect, preference
from evals.statistics.rates import (
    Interval,
    clopper_pearson,
    score_test,
    wilson,
    wilson_lower,
    wilson_of_rate,
    wilson_upper,
)
from evals.statistics.rogan_gladen import Estimate, allocate_labels, rogan_gladen

__all__ = [
    "ClusteredRate",
    "Confusion",
    "Correction",
    "Estimate",
    "GateChances",
    "Interval",
    "JudgeError",
    "Kappa",
    "MacroF1",
    "Method",
    "NonInferiority",
    "OrderEffect",
    "Pairs",
    "PredictionPowered",
    "Preference",
    "RankCorrelation",
    "allocate_labels",
    "bootstrap_interval",
    "clopper_pearson",
    "clustered_rate",
    "cohen_kappa",
    "correct_pass_rate",
    "count_pairs",
    "gate_chances",
    "gate_samples",
    "holm",
    "judge_error",
    "macro_f1",
    "mcnemar_exact",
    "mcnemar_midp",
    "noninferiority",
    "noninferiority_power",
    "noninferiority_samples",
    "order_effect",
    "paired_difference",
    "paired_power",
    "paired_samples",
    "prediction_powered_mean",
    "prediction_powered_rate",
    "preference",
    "rank_correlation",
    "rogan_gladen",
    "samples_to_decide",
    "score_test",
    "wilson",
    "wilson_lower",
    "wilson_of_rate",
    "wilson_upper",
]
