"""Which pass rate to report when a judge was checked on some labels.

Four are on offer: the judge's own, that of the labels alone, Rogan and
Gladen's, and PPI++'s. Which is right depends on how the labels were drawn and
on how many failures there are among them; this module decides, and says why.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Literal, NamedTuple

from numpy.typing import ArrayLike

from evals.statistics import _checks as check
from evals.statistics.judge_error import JudgeError, judge_error
from evals.statistics.prediction_powered import prediction_powered_rate
from evals.statistics.rates import wilson_of_rate
from evals.statistics.rogan_gladen import Estimate, rogan_gladen

__all__ = ["FEW", "GAIN", "Correction", "Method", "correct_pass_rate"]

Method = Literal["labels only", "PPI++", "Rogan-Gladen", "refused"]

# With fewer labels of one kind than this the judge's errors are hardly known, and no interval that
# leans on them gains much: at 60 labels and a rate of .95 the published PPI++ interval covers 84 %.
FEW = 10

# A judge that shortens the interval by less than this share is not worth what it must be trusted for.
GAIN = 0.01


class Correction(NamedTuple):
    """The recommended pass rate (None: refused) with the ``reason``, and all candidates beside it.

    ``judge_adds_nothing``: the judge's verdicts make the interval no shorter (by
    ``GAIN``) than the labels alone would. With labels from elsewhere ``labels_only``
    speaks of those labels, and serves for that comparison only.
    """

    method: Method
    recommended: Estimate | None
    reason: str
    judge_adds_nothing: bool
    raw: Estimate
    labels_only: Estimate
    rogan_gladen: Estimate | None
    prediction_powered: Estimate
    judge: JudgeError


def correct_pass_rate(
    truth: ArrayLike,
    judged: ArrayLike,
    unlabelled: ArrayLike,
    *,
    random_sample: bool,
    pairs: Iterable[Hashable] | None = None,
    confidence: float,
) -> Correction:
    """Recommend a pass rate for samples that a judge judged and people labelled in part.

    ``truth`` and ``judged`` are the labels and the judge's verdicts on the labelled
    samples, ``unlabelled`` its verdicts on those that the rate is to be about.
    ``random_sample``: the labelled samples were drawn at random from all that
    the rate is about. ``pairs`` names what each labelled sample shares its verdict
    with, see ``judge_error``; it matters to labels from elsewhere only, since
    random ones meet the same pairs as often as the rest does.

    Random labels:

    - fewer than ``FEW`` passes or failures among the labels: the labels alone;
    - the judge no better than chance, or its interval no shorter: the labels alone;
    - else PPI++ (``prediction_powered_rate``).

    Labels from elsewhere, with another share of failures: Rogan and Gladen's
    rate for ``unlabelled``, or nothing at all ("refused") where the judge is not
    shown to be better than chance, one kind of label is missing, or there is
    nothing to correct. The recommended 95 % interval of random labels covers
    95-96 % on average, and 97 % at 60 labels and a rate of .95.

    Raises ValueError for no labels, lists of different lengths and values that
    are neither 0 nor 1. Not where truth is known for every sample: its rate
    needs no correction. Not for labels chosen for their verdict.
    """
    labels, verdicts = check.verdicts(truth, "truth"), check.verdicts(judged, "judged")
    rest = check.verdicts(unlabelled, "unlabelled", empty=True)
    judge = judge_error(labels, verdicts, pairs=pairs, confidence=confidence)
    everything = int(rest.sum()) + (int(verdicts.sum()) if random_sample or not rest.size else 0)
    number = rest.size + (verdicts.size if random_sample or not rest.size else 0)
    powered = prediction_powered_rate(labels, verdicts, rest, confidence=confidence)
    result = Correction(
        method="labels only",
        recommended=None,
        reason="",
        judge_adds_nothing=False,
        raw=_wilson(everything / number, number, confidence),
        labels_only=_wilson(float(labels.mean()), labels.size, confidence),
        rogan_gladen=None,
        prediction_powered=Estimate(powered.mean, powered.interval),
        judge=judge,
    )
    refusal = ""
    try:
        result = result._replace(rogan_gladen=_rogan_gladen(judge, rest, confidence))
    except ValueError as error:
        refusal = str(error)
    if random_sample:
        return _of_random_labels(result, rest.size)
    return _of_foreign_labels(result, refusal)


def _of_random_labels(result: Correction, others: int) -> Correction:
    confusion, labels = result.judge.confusion, result.judge.accuracy.samples
    passes = confusion.true_pass + confusion.false_fail
    alone = result._replace(recommended=result.labels_only, judge_adds_nothing=True)
    if others == 0:
        return alone._replace(reason="every sample is labelled: there is nothing that the judge could add")
    if min(passes, labels - passes) < FEW:
        kind, few = ("failures", labels - passes) if passes * 2 >= labels else ("passes", passes)
        reason = f"only {few} {kind} among {labels} labels: too few to know the judge's errors by"
        return alone._replace(reason=reason, judge_adds_nothing=_adds_nothing(result.prediction_powered, result))
    if not _better_than_chance(result.judge):
        return alone._replace(reason="the judge is no better than chance (sensitivity + specificity <= 1)")
    if _adds_nothing(result.prediction_powered, result):
        return alone._replace(reason=f"the judge adds nothing: with it the interval is not even {GAIN:.0%} shorter")
    gain = 1 - result.prediction_powered.interval.width / result.labels_only.interval.width
    reason = f"the labels are a random sample of what was judged; the judge shortens their interval by {gain:.0%}"
    return result._replace(
        method="PPI++", recommended=result.prediction_powered, reason=reason, judge_adds_nothing=False
    )


def _of_foreign_labels(result: Correction, refusal: str) -> Correction:
    if result.rogan_gladen is None:
        return result._replace(method="refused", reason=refusal, judge_adds_nothing=True)
    useless = _adds_nothing(result.rogan_gladen, result)
    reason = "the labels are no random sample of what was judged, so only the judge's error rates carry over"
    if useless:
        reason += "; as many random labels of these samples would tell as much without the judge"
    return result._replace(
        method="Rogan-Gladen", recommended=result.rogan_gladen, reason=reason, judge_adds_nothing=useless
    )


def _rogan_gladen(judge: JudgeError, rest: check.Floats, confidence: float) -> Estimate:
    if rest.size == 0:
        raise ValueError("nothing was judged but the labelled samples")
    if judge.sensitivity is None or judge.specificity is None:
        missing = "passes" if judge.sensitivity is None else "fails"
        raise ValueError(f"no labelled sample truly {missing}, so half of the judge's errors are unknown")
    return rogan_gladen(
        pass_rate=float(rest.mean()),
        samples=rest.size,
        sensitivity=judge.sensitivity.rate,
        passing_labels=judge.sensitivity.effective,
        specificity=judge.specificity.rate,
        failing_labels=judge.specificity.effective,
        confidence=confidence,
    )


def _better_than_chance(judge: JudgeError) -> bool:
    if judge.sensitivity is None or judge.specificity is None:
        return False
    return judge.sensitivity.rate + judge.specificity.rate > 1 + 1e-12


def _adds_nothing(candidate: Estimate, result: Correction) -> bool:
    return candidate.interval.width > (1 - GAIN) * result.labels_only.interval.width


def _wilson(rate: float, number: int, confidence: float) -> Estimate:
    return Estimate(rate, wilson_of_rate(rate, number, confidence=confidence))
