"""The silent traps of today's libraries: each of them once gave a wrong model without an error."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy
from transformers import (
    AutoModelForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    TrainingArguments,
)

from fixtures.contracts.inference import predict_logits
from tests.training.conftest import environment
from training import adapters
from training.adapters import check_gradients, compute_exactly, load_quantized, merged, with_lora
from training.base_models import load_base_model
from training.batching import BatchPlan
from training.errors import TrainingFailed
from training.export import save_model
from training.reload import check_reloaded
from training.settings import ClassifySettings
from training.trainer import ClassifierTrainer, Example, Milestones

LABELS = ["money", "space", "sport"]
CPU = torch.device("cpu")


def tiny_gpt2():
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=50, n_positions=16, n_embd=16, n_layer=2, n_head=2, num_labels=3, pad_token_id=0,
        bos_token_id=1, eos_token_id=1, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0,
    )  # fmt: skip
    return GPT2ForSequenceClassification(config)


class Padding:
    """As much of a tokenizer as the trainer needs."""

    pad_token_id = 0


def trained_weights(tmp_path, batches, *, accumulation, rank_count=1):
    """Two optimisation steps on eight documents, cut into ``batches``; the weights, and the logged losses."""
    random = np.random.default_rng(0)
    examples = [Example(random.integers(2, 50, 4 + n).tolist(), n % 3) for n in range(8)]
    plan = BatchPlan(batches * 2, (1, 2), accumulation, rank_count)
    arguments = TrainingArguments(
        output_dir=str(tmp_path), max_steps=2, gradient_accumulation_steps=accumulation, learning_rate=1e-2,
        lr_scheduler_type="constant", use_cpu=True, report_to=[], disable_tqdm=True, remove_unused_columns=False,
        logging_strategy="no", save_strategy="no", eval_strategy="no", max_grad_norm=0.0, optim="sgd",
        ddp_backend="gloo" if rank_count > 1 else None,
    )  # fmt: skip
    milestones = Milestones(frozenset({1, 2}), frozenset({2}), frozenset())
    figures = dict.fromkeys(("eval_loss", "eval_accuracy", "eval_macro_f1"), 1.0)
    trainer = ClassifierTrainer(
        model=tiny_gpt2(), args=arguments, train_dataset=examples, processing_class=None, plan=plan,
        eval_dataset=[], milestones=milestones, validate=lambda model: figures, console=Console(quiet=True),
    )  # fmt: skip
    trainer.processing_class = Padding()
    trainer.train()
    state = {name: tensor.detach().clone() for name, tensor in trainer.model.state_dict().items()}
    return state, [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


WHOLE = [[0, 1, 2, 3, 4, 5, 6, 7]]
# Of different sizes: a mean of means would weigh the documents of small batches more.
PIECES = [[0], [1, 2], [3, 4, 5, 6], [7]]


def test_accumulated_batches_give_the_gradient_of_one(tmp_path):
    whole, loss = trained_weights(tmp_path, WHOLE, accumulation=1)
    pieces, loss_of_pieces = trained_weights(tmp_path, PIECES, accumulation=4)

    assert loss_of_pieces == pytest.approx(loss, rel=1e-5)
    for name, tensor in whole.items():
        torch.testing.assert_close(pieces[name], tensor, atol=1e-6, rtol=1e-5)


def test_the_logged_loss_is_the_mean_over_documents(tmp_path):
    _, losses = trained_weights(tmp_path, PIECES, accumulation=4)
    random = np.random.default_rng(0)
    rows = [random.integers(2, 50, 4 + n).tolist() for n in range(8)]
    logits = predict_logits(tiny_gpt2().eval(), rows, pad_token_id=0)

    expected = cross_entropy(torch.tensor(logits), torch.tensor([n % 3 for n in range(8)])).item()
    assert losses[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_two_processes_give_the_gradient_of_one(tmp_path):
    script = tmp_path / "two.py"
    script.write_text(
        "import sys, torch\n"
        "from pathlib import Path\n"
        "from tests.training.test_traps import PIECES, trained_weights\n"
        "folder = Path(sys.argv[1])\n"
        "weights, losses = trained_weights(folder, PIECES, accumulation=2, rank_count=2)\n"
        "import torch.distributed as dist\n"
        "assert dist.get_world_size() == 2\n"
        "torch.save((weights, losses), folder / f'rank{dist.get_rank()}.pt')\n"
        "dist.destroy_process_group()\n"
    )
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    run = subprocess.run(
        [*torchrun, str(script), str(tmp_path)], capture_output=True, text=True, env=environment(), check=False
    )
    assert run.returncode == 0, run.stderr

    whole, loss = trained_weights(tmp_path, WHOLE, accumulation=1)
    for rank in (0, 1):
        weights, losses = torch.load(tmp_path / f"rank{rank}.pt")
        assert losses == pytest.approx(loss, rel=1e-5)
        for name, tensor in whole.items():
            torch.testing.assert_close(weights[name], tensor, atol=1e-6, rtol=1e-5)


@pytest.fixture(params=["gpt2_folder", "bert_folder"])
def base(request):
    return load_base_model(str(request.getfixturevalue(request.param)), LABELS, [])


ROWS = [[5, 9, 30, 7], [12, 44, 5, 80, 81, 13, 90], [3, 3]]
SETTINGS = ClassifySettings(method="qlora", lora_rank=4, lora_alpha=8, lora_dropout=0)


def some_steps(model, steps=20):
    """Some optimisation steps on ``ROWS``, of the adapter alone: the head could learn them without it."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad = "lora" in name
    optimizer = torch.optim.AdamW([one for one in model.parameters() if one.requires_grad], lr=1e-2)
    for _ in range(steps):
        for label, row in enumerate(ROWS):
            model.train()
            logits = model(input_ids=torch.tensor([row])).logits
            cross_entropy(logits, torch.tensor([label])).backward()
        check_gradients(model)
        optimizer.step()
        optimizer.zero_grad()
        # An evaluation between the steps is what made bitsandbytes re-pack the weights.
        predict_logits(model.eval(), ROWS, pad_token_id=0)


def lora_gradients(model):
    model.train()
    model(input_ids=torch.tensor([ROWS[0]])).logits.logsumexp(-1).sum().backward()
    return {name: one.grad for name, one in model.named_parameters() if "lora_B" in name}


@pytest.mark.parametrize("compute", [torch.float32, torch.bfloat16])
def test_4_bit_weights_train_after_an_evaluation(base, compute):
    torch.manual_seed(0)
    model = with_lora(load_quantized(base, CPU, compute), base, SETTINGS)
    predict_logits(model.eval(), ROWS, pad_token_id=0)

    gradients = lora_gradients(model)
    assert len(gradients) >= 8
    assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients.values())
    before = predict_logits(model.eval(), ROWS, pad_token_id=0)
    model.zero_grad()
    some_steps(model)
    after = predict_logits(model.eval(), ROWS, pad_token_id=0)
    assert after.argmax(axis=1).tolist() == [0, 1, 2]
    assert np.abs(after - before).max() > 0.1


def test_a_weight_without_gradient_is_an_error():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    model[1](torch.ones(1, 2)).sum().backward()

    with pytest.raises(TrainingFailed, match=r"2 trainable weights get no gradient, 0\.weight among them"):
        check_gradients(model)


def test_a_merged_adapter_answers_as_beside_its_base(base):
    torch.manual_seed(0)
    model = with_lora(base.load(), base, SETTINGS)
    some_steps(model)
    beside = predict_logits(model.eval(), ROWS, pad_token_id=0)
    plain = merged(model, base, SETTINGS).eval()

    assert not any("lora" in name for name, _ in plain.named_parameters())
    np.testing.assert_allclose(predict_logits(plain, ROWS, pad_token_id=0), beside, atol=1e-4)


def test_a_4_bit_adapter_is_merged_into_the_weights_it_was_trained_on(base, monkeypatch):
    torch.manual_seed(0)
    model = with_lora(load_quantized(base, CPU, torch.bfloat16), base, SETTINGS)
    some_steps(model)
    compute_exactly(model)
    beside = predict_logits(model.eval(), ROWS, pad_token_id=0)
    plain = merged(model, base, SETTINGS).eval()

    error = np.abs(predict_logits(plain, ROWS, pad_token_id=0) - beside).max()
    assert error < 1e-4
    # On the weights as they were before quantization, the same adapter is off by far more.
    monkeypatch.setattr(adapters, "_dequantize_into", lambda plain, quantized: None)
    original = merged(model, base, SETTINGS).eval()
    assert np.abs(predict_logits(original, ROWS, pad_token_id=0) - beside).max() > 10 * error


@pytest.mark.parametrize("base", ["gpt2_folder"], indirect=True)
def test_a_folder_that_loads_with_a_random_head_is_noticed(base, tmp_path):
    torch.manual_seed(0)
    model = base.load().eval()
    prompts = ["orbit moon", "bank share profit"]
    rows = [base.tokenizer(prompt)["input_ids"] for prompt in prompts]
    expected = predict_logits(model, rows, pad_token_id=base.tokenizer.pad_token_id)
    save_model(model, base.tokenizer, tmp_path)
    assert check_reloaded(tmp_path, prompts, expected, max_length=64, tolerance=1e-3) < 1e-4

    from safetensors.torch import save_file

    tensors = load_file(tmp_path / "model.safetensors")
    save_file(
        {name: tensor for name, tensor in tensors.items() if not name.startswith(("score", "classifier"))},
        tmp_path / "model.safetensors",
        metadata={"format": "pt"},
    )
    assert AutoModelForSequenceClassification.from_pretrained(tmp_path) is not None
    with pytest.raises(TrainingFailed, match="answers differently from the trained one"):
        check_reloaded(tmp_path, prompts, expected, max_length=64, tolerance=1e-3)


@pytest.mark.parametrize("base", ["gpt2_folder"], indirect=True)
def test_a_folder_that_does_not_load_is_noticed(base, tmp_path):
    save_model(base.load(), base.tokenizer, tmp_path)
    os.truncate(tmp_path / "model.safetensors", 1000)

    with pytest.raises(TrainingFailed, match="does not load in a new process"):
        check_reloaded(tmp_path, ["orbit"], np.zeros((1, 3)), max_length=64, tolerance=1e-3)
