"""What is learned, and that batches, packs, processes and memory savers do not change it."""

from __future__ import annotations

import csv
import importlib.util

import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.training.chat.conftest import FAMILIES, read_rows, write_rows
from training.causal.fine_tuning import Trained
from training.causal.tokens import IGNORED
from training.causal.trainer import RowTrainer, as_dataset


@pytest.fixture
def plain(tmp_path):
    """Eight conversations of different lengths, without a system turn: Gemma's template refuses one."""
    rows = [{"messages": row["messages"][-2 - 2 * (n % 2) :]} for n, row in enumerate(read_rows("train")[4:12])]
    for row in rows:
        if row["messages"][0]["role"] == "system":
            del row["messages"][0]
    return write_rows(tmp_path / "plain.jsonl", rows)


def points(trained: Trained, column):
    return [point[column] for point in trained.history["curves"] if column in point]


def gradients_of_positions(monkeypatch, train, **settings):
    """The gradient of the first step's loss at each place of the last hidden layer, and the labels of the batch."""
    seen = {}

    def training_step(self, model, inputs, num_items_in_batch=None):
        if not seen:
            seen["labels"] = inputs["labels"].clone()
            hook = model.model.register_forward_hook(
                lambda _, __, output: (output.last_hidden_state.retain_grad(), seen.update(hidden=output))[1]
            )
            loss = super(RowTrainer, self).training_step(model, inputs, num_items_in_batch)
            hook.remove()
            return loss
        return super(RowTrainer, self).training_step(model, inputs, num_items_in_batch)

    monkeypatch.setattr(RowTrainer, "training_step", training_step, raising=False)
    train(**settings)
    return seen["hidden"].last_hidden_state.grad, seen["labels"]


@pytest.mark.parametrize("loss_on", ["assistant", "all"])
def test_only_the_places_before_learned_tokens_get_a_gradient(monkeypatch, train, loss_on):
    gradient, labels = gradients_of_positions(monkeypatch, train, loss_on=loss_on)
    touched = gradient.abs().sum(-1) > 0

    # A place guesses the token after it.
    assert torch.equal(touched[:, :-1], labels[:, 1:] != IGNORED)
    assert not touched[:, -1].any()
    assert ((labels != IGNORED).float().mean() < 0.6) == (loss_on == "assistant")


@pytest.mark.parametrize("packing", [False, True], ids=["padded", "packed"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_loss_of_packed_or_padded_rows_is_that_of_each_alone(train, models, plain, family, packing):
    # All rows in the first step: its loss is of the model as it came, like the first measurement.
    _, trained = train(
        train_file=plain, eval_file=plain, base_model=str(models(family)), batch_size=8, packing=packing,
        learning_rate=1e-9, max_length=200,
    )  # fmt: skip

    assert points(trained, "train_loss")[0] == pytest.approx(trained.history["validation_loss_before"], abs=2e-5)


def test_packing_puts_several_conversations_into_a_row(train, plain):
    task, _ = train(train_file=plain, eval_file=plain)
    rows = task.data.train.rows
    packed = as_dataset(rows, pack_to=250)

    assert len(packed) < len(rows)
    assert max(len(ids) for ids in packed["input_ids"]) <= 250
    assert sorted(token for ids in packed["input_ids"] for token in ids) == sorted(
        token for row in rows for token in row.ids
    )


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"batch_size": 4}, {"batch_size": 1, "gradient_accumulation": 4}),
        ({"batch_size": 4}, {"batch_size": 4, "gradient_checkpointing": True}),
        (
            {"method": "lora", "lora_dropout": 0, "base_model": "llama"},
            {"method": "lora", "lora_dropout": 0, "base_model": "llama", "gradient_checkpointing": True},
        ),
    ],
    ids=["accumulation", "checkpointing", "checkpointing-lora"],
)
def test_the_same_training_in_other_batches(train, models, tmp_path, left, right):
    found = []
    for number, settings in enumerate((left, right)):
        if "base_model" in settings:
            settings = settings | {"base_model": str(models(settings["base_model"]))}
        _, trained = train(save_to=tmp_path / str(number), learning_rate=1e-3, epochs=3, **settings)
        found.append((points(trained, "train_loss"), points(trained, "validation_loss")))

    assert found[0][0] == pytest.approx(found[1][0], abs=1e-4)
    assert found[0][1] == pytest.approx(found[1][1], abs=1e-4)
    assert found[0][1][-1] < found[0][1][0]


@pytest.mark.parametrize(
    ("schedule", "falling"),
    [("linear", [2 / 3, 1 / 3]), ("cosine", [0.75, 0.25])],
)
def test_the_learning_rate_rises_and_falls_as_asked(train, schedule, falling):
    _, trained = train(schedule=schedule, warmup=0.25, epochs=2, batch_size=4, learning_rate=1e-3)
    rates = points(trained, "learning_rate")

    # Four steps; what is logged is the rate of the step. The first is the first of the warm-up.
    assert rates == pytest.approx([0, 1e-3, falling[0] * 1e-3, falling[1] * 1e-3])


def test_little_data_is_passed_over_until_there_are_enough_steps(train):
    _, trained = train(min_steps=7, batch_size=4)

    assert (trained.history["steps"], trained.history["epochs"]) == (8, 4)


def test_it_is_measured_as_often_as_asked(train):
    _, trained = train(epochs=3, batch_size=1, evaluations=12)

    measured = [point["step"] for point in trained.history["curves"] if "validation_loss" in point]
    assert measured == [*range(0, 25, 2)]


def test_the_best_checkpoint_is_taken_not_the_last(train, tmp_path):
    # So high a rate that it learns the few rows by heart and gets worse on all others.
    task, trained = train(epochs=12, batch_size=4, learning_rate=1e-2, schedule="linear")
    losses = points(trained, "validation_loss")
    assert trained.history["best_validation_loss"] == min(losses) < losses[-1]

    rows = task.data.validation.rows
    with torch.inference_mode():
        total = sum(
            trained.model(input_ids=torch.tensor([row.ids]), labels=torch.tensor([row.labels])).loss.item()
            * row.learned
            for row in rows
        )
    assert total / sum(row.learned for row in rows) == pytest.approx(min(losses), abs=1e-4)
    written = list(csv.DictReader((tmp_path / "out" / "curves.csv").open()))
    assert [float(row["validation_loss"]) for row in written if row["validation_loss"]] == losses


@pytest.mark.skipif(importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed")
@pytest.mark.parametrize("family", ["llama", "phi3", "gpt2"])
def test_lora_beside_4_bit_weights(train, models, plain, family, monkeypatch):
    types = set()
    step = RowTrainer.training_step

    def training_step(self, model, *args):
        types.update(one.dtype for one in model.parameters() if one.requires_grad)
        return step(self, model, *args)

    monkeypatch.setattr(RowTrainer, "training_step", training_step)
    task, trained = train(
        train_file=plain, eval_file=None, base_model=str(models(family)), method="qlora", learning_rate=1e-2,
        epochs=4, lora_dropout=0,
    )  # fmt: skip
    assert trained.history["best_validation_loss"] < trained.history["validation_loss_before"]
    # SFTTrainer would train in bf16.
    assert types == {torch.float32}

    ids = torch.tensor([task.data.train.rows[0].ids])
    with torch.inference_mode():
        beside = trained.model(input_ids=ids).logits
        base = AutoModelForCausalLM.from_pretrained(models(family))(input_ids=ids).logits
        merged = trained.merged(task)(input_ids=ids).logits
    torch.testing.assert_close(merged, beside, atol=1e-4, rtol=0)
    assert (merged - base).abs().max() > 0.01
