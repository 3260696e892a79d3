"""Models of each family: their layers are found, they learn, and they stop where an answer ends."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoModelForCausalLM

from fixtures.contracts.errors import UserError
from tests.training.chat.conftest import FAMILIES, read_rows, write_rows
from training.causal.targets import resolve_targets

WORKSHOP = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")

LAYERS = {"phi3": {"qkv_proj", "o_proj", "gate_up_proj", "down_proj"}, "gpt2": {"c_attn", "c_proj", "c_fc"}}

ENDS = {
    "phi3": ["<|end|>", "<|endoftext|>"],
    "llama": ["<|eot_id|>"],
    "llama3.2": ["<|eot_id|>"],
    "qwen2": ["<|im_end|>"],
    "qwen3": ["<|im_end|>"],
    "gemma": ["<end_of_turn>"],
    "gemma3": ["<end_of_turn>"],
    "gpt2": ["<|endoftext|>"],
}


@pytest.fixture
def plain(tmp_path):
    """Conversations without a system turn: Gemma's template refuses one."""
    rows = [{"messages": row["messages"][-2:]} for row in read_rows("train")[:8]]
    return write_rows(tmp_path / "plain.jsonl", rows)


@pytest.mark.parametrize("packing", [False, True], ids=["rows", "packed"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_of_each_family_learns(train, models, plain, family, packing):
    task, trained = train(
        train_file=plain, eval_file=None, base_model=str(models(family)), method="lora", packing=packing,
        learning_rate=1e-2, lora_dropout=0, epochs=4, batch_size=1 if packing else 4,
    )  # fmt: skip
    assert trained.history["best_validation_loss"] < trained.history["validation_loss_before"] - 0.01

    adapted = {name.split(".lora_")[0].rsplit(".", 1)[-1] for name in trained.model.state_dict() if ".lora_" in name}
    assert adapted == LAYERS.get(family, set(WORKSHOP))

    ids = torch.tensor([task.data.train.rows[0].ids])
    with torch.inference_mode():
        beside = trained.model(input_ids=ids).logits
        merged = trained.merged(task)
        torch.testing.assert_close(merged(input_ids=ids).logits, beside, atol=1e-4, rtol=0)

    stops = [task.base.tokenizer.convert_tokens_to_ids(token) for token in ENDS[family]]
    assert set(stops) <= set(merged.generation_config.eos_token_id)
    assert all(set(stops) & set(row.labels) for row in task.data.train.rows)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_names_of_the_workshop_are_translated(models, family):
    names, replaced = resolve_targets(AutoModelForCausalLM.from_pretrained(models(family)), WORKSHOP)

    assert set(names) == LAYERS.get(family, set(WORKSHOP))
    assert set(replaced) == (set(WORKSHOP) - set(names))


@pytest.mark.parametrize("name", ["w_proj", "lm_head", "proj"])
def test_a_layer_that_the_model_does_not_have(models, name):
    model = AutoModelForCausalLM.from_pretrained(models("llama"))

    with pytest.raises(
        UserError, match=rf"--lora-target-modules: the model has no layer {name}\n  it has: down_proj, "
    ):
        resolve_targets(model, ["q_proj", name])


def test_all_layers_that_the_model_does_not_have_are_named(models):
    model = AutoModelForCausalLM.from_pretrained(models("llama"))

    with pytest.raises(UserError, match="the model has no layer w_proj and no v2_proj\n"):
        resolve_targets(model, ["w_proj", "q_proj", "v2_proj"])


def test_all_linear_reaches_what_the_seven_names_reach(train, models, plain):
    common = {"train_file": plain, "eval_file": None, "base_model": str(models("phi3")), "method": "lora"}
    _, everything = train(**common)
    _, named = train(**common, lora_target_modules=WORKSHOP)

    assert set(everything.model.state_dict()) == set(named.model.state_dict())
