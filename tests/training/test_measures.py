"""Figures against scikit-learn's own, and the baseline against its recipe."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, log_loss, precision_score, recall_score

from tests.training.conftest import WORDS, documents
from training.measures import Baseline, measure


def test_figures_agree_with_scikit_learn():
    random = np.random.default_rng(0)
    targets, logits = random.integers(0, 4, 200), random.normal(size=(200, 5))
    figures = measure(targets, logits)

    predicted = logits.argmax(axis=1)
    labels = range(5)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert figures["documents"] == 200
    assert figures["loss"] == pytest.approx(log_loss(targets, probabilities, labels=labels))
    assert figures["accuracy"] == accuracy_score(targets, predicted)
    for average in ("macro", "weighted"):
        for name, score in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
            expected = score(targets, predicted, labels=labels, average=average, zero_division=0)
            assert figures[f"{average}_{name}"] == pytest.approx(expected)
    assert np.array(figures["confusion_matrix"]).sum() == 200
    assert figures["confusion_matrix"][3][1] == int(((targets == 3) & (predicted == 1)).sum())


def test_the_baseline_is_plain_tfidf_with_logistic_regression():
    labels = sorted(WORDS)
    (texts, targets), (others, truth) = (
        ([text for text, _ in rows], [labels.index(label) for _, label in rows])
        for rows in (documents(60, 1), documents(30, 2))
    )
    vectorizer = TfidfVectorizer()
    model = LogisticRegression(max_iter=1000).fit(vectorizer.fit_transform(texts), targets)
    expected = model.predict_proba(vectorizer.transform(others))

    figures = Baseline(texts, targets, 3).measure(others, truth)
    assert figures["accuracy"] == accuracy_score(truth, expected.argmax(axis=1))
    assert figures["loss"] == pytest.approx(log_loss(truth, expected))


def test_texts_without_words_have_a_baseline_as_well():
    baseline = Baseline(["!", "?", "-"], [1, 1, 0], 3)

    assert baseline.name.startswith("most frequent category")
    assert baseline.measure(["!", "."], [1, 2])["accuracy"] == 0.5
