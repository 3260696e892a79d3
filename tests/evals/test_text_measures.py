"""Measures of an answer beside its reference: the libraries' own figures, and published ones."""

import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from evals.text_measures import text_measures, text_scores, token_f1, words

HYPOTHESES = ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."]
REFERENCES = ["The dog bit the man.", "It was not unexpected.", "The man bit him first."]


def measured(hypotheses, references, *, repeat=1, seed=0):
    scores = [text_scores(*pair) for pair in zip(hypotheses * repeat, references * repeat, strict=True)]
    return {measure.name: measure for measure in text_measures(scores, seed=seed, confidence=0.95)}


def test_bleu_of_a_corpus_is_sacrebleus():
    assert measured(HYPOTHESES, REFERENCES)["bleu"].value == pytest.approx(
        sacrebleu.corpus_bleu(HYPOTHESES, [REFERENCES]).score / 100
    )


LINES = st.lists(st.tuples(st.text("ab cd.", max_size=60), st.text("ab cd.", min_size=1, max_size=60)), min_size=1)


@settings(max_examples=30, deadline=None)
@given(LINES)
def test_bleu_and_chrf_agree_with_sacrebleu(lines):
    hypotheses, references = map(list, zip(*lines, strict=True))
    found = measured(hypotheses, references)
    assert found["bleu"].value == pytest.approx(sacrebleu.corpus_bleu(hypotheses, [references]).score / 100)
    chrf = [sacrebleu.sentence_chrf(*pair).score / 100 for pair in ((h, [r]) for h, r in lines)]
    assert found["chrf"].value == pytest.approx(sum(chrf) / len(chrf))


@settings(max_examples=30, deadline=None)
@given(st.text("abc d.-", max_size=60), st.text("abc d.-", max_size=60))
def test_rouge_of_ascii_is_google_s(answer, reference):
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"])
    expected = {name.lower(): score.fmeasure for name, score in scorer.score(reference, answer).items()}
    found = text_scores(answer, reference)
    assert (found.rouge_1, found.rouge_2, found.rouge_l) == pytest.approx(
        (expected["rouge1"], expected["rouge2"], expected["rougel"])
    )


def test_rouge_by_the_example_of_its_paper():
    """Lin (2004), section 3: of "police killed the gunman" the first candidate keeps the order, the second does not."""
    reference = "police killed the gunman"
    assert text_scores("police kill the gunman", reference).rouge_l == pytest.approx(3 / 4)
    assert text_scores("the gunman kill police", reference).rouge_l == pytest.approx(2 / 4)


@pytest.mark.parametrize(
    ("answer", "reference", "f1"),
    [
        # SQuAD: case, punctuation and articles do not count; two of three words and two of two.
        ("The Denver Broncos!", "denver broncos", 1.0),
        ("Denver Broncos won", "the Denver Broncos", 0.8),
        ("", "denver", 0.0),
        ("", "", 1.0),
        ("注文は明日届きます。", "注文は明日届きます", 1.0),
        ("明日", "明後日", 0.8),
    ],
)
def test_token_f1(answer, reference, f1):
    assert token_f1(answer, reference) == pytest.approx(f1)


def test_no_word_of_a_language_without_blanks_is_lost():
    assert words("本が2冊、届いた。") == ["本", "が", "2", "冊", "届", "い", "た"]
    assert text_scores("本が届いた", "本が届いた").rouge_l == 1.0


def test_few_samples_have_no_interval_but_exact_match_has_wilsons():
    few = measured(HYPOTHESES, REFERENCES)
    assert few["token_f1"].low is None
    assert few["exact_match"].low == pytest.approx(0.0615, abs=1e-4)


def test_intervals_hold_the_value_and_a_seed_makes_them_again():
    many, again = (measured(HYPOTHESES, REFERENCES, repeat=10) for _ in range(2))
    assert many == again
    for measure in many.values():
        assert measure.low < measure.value < measure.high
    assert measured([], []) == {}


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=80), st.text(max_size=80))
def test_any_text_has_scores(answer, reference):
    scores = text_scores(answer, reference)
    for name in ("exact_match", "token_f1", "rouge_1", "rouge_2", "rouge_l", "chrf"):
        assert 0 <= getattr(scores, name) <= 1 + 1e-9
