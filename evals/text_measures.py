"""An answer beside its reference, word by word: exact match, token F1, ROUGE, chrF, BLEU. No judge is asked.

They reward the reference's words, not the truth: a right answer in other words
scores low, a wrong one in the same words high. They need nothing but the two
texts, do not waver, and show a model that has changed its manner.

Exact match and token F1 are those of SQuAD (Rajpurkar et al. 2016, "SQuAD:
100,000+ Questions for Machine Comprehension of Text", EMNLP, section 6.1): in
lower case, without punctuation and the articles a, an, the. ROUGE (Lin 2004,
"ROUGE: A Package for Automatic Evaluation of Summaries") is the F1 of
Google's rouge-score without stemming; chrF (Popović 2015) and BLEU (Papineni
et al. 2002) are sacrebleu's, divided by 100.

Chinese, Japanese and Korean put no blanks between words: there every character
counts as one.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from fixtures.contracts.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "TextMeasure",
    "TextScores",
    "require_libraries",
    "spaced",
    "text_measures",
    "text_scores",
    "token_f1",
    "words",
]

_FEWEST = 20
"""Samples below which redrawing them says nothing of the width of an interval."""
_CJK = re.compile("([\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff])")
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_ORDER = 4


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TextScores(_Part):
    """One answer beside its reference; all but ``bleu`` in 0..1."""

    exact_match: float
    token_f1: float
    rouge_1: float
    rouge_2: float
    rouge_l: float
    chrf: float
    bleu: list[int] = Field(
        description="what BLEU adds up over samples: n-grams of 1 to 4 words that match, n-grams that there are, "
        "words of the answer and of the reference"
    )


class TextMeasure(_Part):
    """A measure over all samples with an answer: a mean, or BLEU of them all together.

    The interval is Wilson's for exact match, which is a rate, and else a bootstrap's.
    """

    name: str
    value: float
    low: float | None = Field(description="null where 20 samples are needed and not there")
    high: float | None
    samples: int
    confidence: float = Field(description="two-sided")


def words(text: str) -> list[str]:
    """SQuAD's words of ``text``; a CJK character is a word of its own."""
    text = unicodedata.normalize("NFC", text).lower()
    text = "".join(" " if _is_mark(character) else character for character in text if character not in _PUNCTUATION)
    return _CJK.sub(r" \1 ", _ARTICLES.sub(" ", text)).split()


_PUNCTUATION = set(string.punctuation)


def _is_mark(character: str) -> bool:
    """Punctuation beyond ASCII, which SQuAD's English never met."""
    return ord(character) > 127 and unicodedata.category(character).startswith("P")


def token_f1(answer: str, reference: str) -> float:
    """Harmonic mean of the shares of each text's words that are in the other; 1 if neither has any."""
    given, wanted = words(answer), words(reference)
    common = (Counter(given) & Counter(wanted)).total()
    if not given or not wanted:
        return float(given == wanted)
    return 2 * common / (len(given) + len(wanted))


def require_libraries() -> None:
    """Raise UserError where the extra ``chat`` is not installed."""
    missing = [name for name in ("jsonschema", "rouge_score", "sacrebleu") if find_spec(name) is None]
    if missing:
        raise UserError(f'--chat needs {" and ".join(missing)}: pip install "newsjudge[chat]"')


def text_scores(answer: str, reference: str) -> TextScores:
    """``answer`` beside ``reference``."""
    rouge = _rouge().score(reference, answer)
    bleu = _bleu().sentence_score(spaced(answer), [spaced(reference)])
    return TextScores(
        exact_match=float(words(answer) == words(reference)),
        token_f1=token_f1(answer, reference),
        rouge_1=rouge["rouge1"].fmeasure,
        rouge_2=rouge["rouge2"].fmeasure,
        rouge_l=rouge["rougeL"].fmeasure,
        chrf=_chrf().sentence_score(answer, [reference]).score / 100,
        bleu=[*bleu.counts, *bleu.totals, bleu.sys_len, bleu.ref_len],
    )


class _Words:
    """rouge-score's own words are those of ASCII alone: a text in Japanese would have none."""

    def tokenize(self, text: str) -> list[str]:
        return re.findall(r"[^\W_]+", spaced(text.lower()))


def spaced(text: str) -> str:
    """``text`` with blanks around each CJK character, which is a word of its own."""
    return _CJK.sub(r" \1 ", text)


@cache
def _rouge() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rouge1", "rouge2", "rougeL"], tokenizer=_Words())


@cache
def _bleu() -> Any:
    from sacrebleu.metrics import BLEU

    # Of single samples only the counts are used, which no setting for short texts changes.
    return BLEU(effective_order=True)


@cache
def _chrf() -> Any:
    from sacrebleu.metrics import CHRF

    return CHRF()


def text_measures(scores: Sequence[TextScores], *, seed: int, confidence: float) -> list[TextMeasure]:
    """Every measure over all samples; none without samples."""
    if not scores:
        return []
    import numpy as np

    from evals.statistics import wilson

    exact = [score.exact_match for score in scores]
    low, high = wilson(round(sum(exact)), len(exact), confidence=confidence)
    found = [
        TextMeasure(
            name="exact_match",
            value=sum(exact) / len(exact),
            low=low,
            high=high,
            samples=len(exact),
            confidence=confidence,
        )
    ]
    for name in ("token_f1", "rouge_1", "rouge_2", "rouge_l", "chrf"):
        found.append(_measure(name, _mean([getattr(score, name) for score in scores]), len(scores), seed, confidence))
    counts = np.array([score.bleu for score in scores])
    found.append(_measure("bleu", lambda rows: _corpus_bleu(counts[rows].sum(axis=0)), len(scores), seed, confidence))
    return found


def _mean(values: Sequence[float]) -> Callable[[NDArray[Any]], float]:
    import numpy as np

    column = np.array(values)
    return lambda rows: float(column[rows].mean())


def _measure(
    name: str, statistic: Callable[[NDArray[Any]], float], samples: int, seed: int, confidence: float
) -> TextMeasure:
    import numpy as np

    from evals.statistics import bootstrap_interval

    interval = None
    if samples >= _FEWEST:
        interval = bootstrap_interval(statistic, samples, seed=seed, confidence=confidence, resamples=1000)
    return TextMeasure(
        name=name,
        value=statistic(np.arange(samples)),
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        samples=samples,
        confidence=confidence,
    )


def _corpus_bleu(sums: NDArray[Any]) -> float:
    """BLEU of the samples that ``sums`` counts, as sacrebleu computes it of a corpus."""
    from sacrebleu.metrics import BLEU

    matching, there, lengths = sums[:_ORDER], sums[_ORDER : 2 * _ORDER], sums[2 * _ORDER :]
    score = BLEU.compute_bleu(matching.tolist(), there.tolist(), int(lengths[0]), int(lengths[1]), smooth_method="exp")
    return float(score.score) / 100
