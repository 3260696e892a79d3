"""Packing against one row a conversation, per CPU second and token.

Short conversations (a question and a sentence in answer), learned by three
copies of a model: one at a time as the workshop does, in padded batches as we
do by default, and packed into rows of so many tokens. Only tokens of
conversations count, padding does not.

Exits with 1 if packing is not 1.3 times as fast per token as one conversation
at a time (the same batch size without packing), or if its loss per token
differs from that of the others: before the first step by more than rounding,
and the validation loss in the end by more than noise.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

import torch
from rich.console import Console
from side_by_side import Clock, show, verdict
from transformers import AutoModelForCausalLM
from trl import SFTConfig

from fixtures.conversations.files import Conversation, read_chat_file
from training.arguments import planned_arguments
from training.batching import plan_rows
from training.causal.templates import choose_template
from training.causal.tokens import Row
from training.causal.trainer import RowTrainer, as_dataset
from training.chat.cutting import cut
from training.chat.tokens import encode
from training.planned import Milestones
from training.scratch import llama_tiny

BAR = 1.3
ROUNDING = 1e-4
NOISE = 0.05
DATA = Path(__file__).parents[1] / "fixtures" / "chat"


@dataclass
class Side:
    """One way to batch; an optimisation step is made every ``accumulation`` batches."""

    name: str
    trainer: RowTrainer
    accumulation: int
    clock: Clock = field(default_factory=Clock)
    tokens: int = 0

    def __post_init__(self) -> None:
        self.optimizer = self.trainer.create_optimizer()
        self.batches = iter(self.trainer.get_train_dataloader())

    def steps(self) -> Iterator[int]:
        """Makes an optimisation step each time, and says how many tokens it has learned from."""
        while batches := [batch for _ in range(self.accumulation) if (batch := next(self.batches, None)) is not None]:
            with self.clock:
                learned = sum((batch["labels"] != -100).sum() for batch in batches)
                for batch in batches:
                    self.trainer.training_step(self.trainer.model, batch, learned)
                self.optimizer.step()
                self.optimizer.zero_grad()
            self.tokens += sum(_tokens(batch) for batch in batches)
            yield self.tokens


def shortened(conversation: Conversation) -> Conversation:
    """The first question, and the first sentence of the answer after thanks and regrets."""
    question, answer = [turn for turn in conversation.messages if turn["role"] != "system"][:2]
    sentences = re.split(r"(?<=[.!?]) ", answer["content"])
    return replace(conversation, messages=[question, answer | {"content": sentences[min(1, len(sentences) - 1)]}])


def _tokens(batch: dict[str, Any]) -> int:
    return int(batch["attention_mask"].sum() if "attention_mask" in batch else batch["input_ids"].numel())


def side(name: str, model: torch.nn.Module, tokenizer: Any, rows: list[Row], unseen: list[Row], options, batch, steps):
    """A copy of the model with a trainer; ``batch`` is a number of rows, or 0 for packs."""
    dataset = as_dataset(rows, pack_to=None if batch else options.pack)
    plan = plan_rows(len(dataset), batch_size=batch or 1, epochs=options.epochs, min_steps=0, seed=options.seed)
    trainer = RowTrainer(
        model=model,
        args=planned_arguments(
            SFTConfig, save_to=Path(options.folder) / name, steps=plan.steps, device=torch.device("cpu"), autocast=None,
            seed=options.seed, learning_rate=1e-3, per_device_train_batch_size=batch or 1, packing=not batch,
            gradient_checkpointing=False, max_length=options.pack, dataset_kwargs={"skip_prepare_dataset": True},
        ),
        train_dataset=dataset, processing_class=tokenizer, validation=unseen, plan=plan,
        milestones=Milestones.of(plan), console=Console(quiet=True),
    )  # fmt: skip
    return Side(name, trainer, steps)


def prepared(path: Path, tokenizer: Any, longest: int) -> list[Row]:
    conversations = [shortened(conversation) for conversation in read_chat_file(path).conversations]
    template, _ = choose_template(tokenizer, None)
    return cut(encode(tokenizer, template, conversations, "assistant").rows, longest).rows


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--train-file", type=Path, default=DATA / "train.jsonl", help="%(default)s")
    options.add_argument("--eval-file", type=Path, default=DATA / "eval.jsonl", help="%(default)s")
    options.add_argument("--epochs", type=int, default=20, help="passes over the train file (%(default)s)")
    options.add_argument("--pack", type=int, default=256, help="tokens of a packed row (%(default)s)")
    options.add_argument("--layers", type=int, default=2, help="layers of the Llama (%(default)s)")
    options.add_argument("--hidden", type=int, default=128, help="its hidden size, a multiple of 64 (%(default)s)")
    options.add_argument("--seed", type=int, default=0, help="of order and weights (%(default)s)")
    options = options.parse_args()
    torch.set_num_threads(1)
    texts = [turn["content"] for one in read_chat_file(options.train_file).conversations for turn in one.messages]
    config, tokenizer = llama_tiny(texts)
    config.update({"num_hidden_layers": options.layers, "hidden_size": options.hidden,
                   "intermediate_size": 8 * options.hidden // 3, "num_attention_heads": options.hidden // 64,
                   "num_key_value_heads": options.hidden // 64, "head_dim": 64})  # fmt: skip
    rows, unseen = (prepared(path, tokenizer, options.pack) for path in (options.train_file, options.eval_file))
    average = sum(len(row.ids) for row in rows) / len(rows)
    with TemporaryDirectory() as options.folder:
        sides = []
        for name, batch, steps in (("one at a time", 1, 4), ("4, padded", 4, 1), (f"packed to {options.pack}", 0, 1)):
            torch.manual_seed(options.seed)
            model = AutoModelForCausalLM.from_config(config)
            sides.append(side(name, model, tokenizer, rows, unseen, options, batch, steps))
        first = [at_the_start(one, rows) for one in sides]
        advancing = [one.steps() for one in sides]
        # Whoever has learned from the fewest tokens goes next, so that other work on the machine falls on all alike.
        done: dict[int, int] = dict.fromkeys(range(len(sides)), 0)
        while done:
            turn = min(done, key=done.__getitem__)
            after = next(advancing[turn], None)
            if after is None:
                del done[turn]
            else:
                done[turn] = after
        losses = [one.trainer.measure(one.trainer.model.eval())["eval_loss"] for one in sides]
    speed = [one.tokens / one.clock.seconds for one in sides]
    show(
        f"Llama {options.layers} x {options.hidden}, {len(rows)} conversations of {average:.0f} tokens, "
        f"{options.epochs} epochs",
        ["conversations", "CPU s", "tokens / CPU s", "loss at the start", "validation loss", "packing is faster"],
        [
            (
                one.name,
                f"{one.clock.seconds:.1f}",
                f"{rate:.0f}",
                f"{start:.5f}",
                f"{loss:.4f}",
                f"{speed[-1] / rate:.2f}",
            )
            for one, rate, start, loss in zip(sides, speed, first, losses, strict=True)
        ],
    )
    missed = []
    if speed[-1] / speed[0] < BAR:
        missed.append(f"packing is {speed[-1] / speed[0]:.2f} times as fast as one at a time; the bar is {BAR}")
    missed += [
        f"{one.name}: loss at the start {start:.5f}, packed {first[-1]:.5f}"
        for one, start in zip(sides, first, strict=True)
        if abs(start - first[-1]) > ROUNDING
    ]
    missed += [
        f"{one.name}: validation loss {loss:.4f}, packed {losses[-1]:.4f}"
        for one, loss in zip(sides, losses, strict=True)
        if abs(loss - losses[-1]) > NOISE
    ]
    return verdict(missed)


@torch.no_grad()
def at_the_start(one: Side, rows: list[Row]) -> float:
    """The loss per token over all rows, as this side batches them, before the first step."""
    total = tokens = 0.0
    dataset, size = one.trainer.train_dataset, one.trainer.args.per_device_train_batch_size
    for start in range(0, len(dataset), size):
        batch = one.trainer.collate([dataset[place] for place in range(start, min(start + size, len(dataset)))])
        outputs = one.trainer.model(**batch, use_cache=False, fused_lm_head=True)
        total -= float(outputs.log_probs.sum())
        tokens += float(outputs.label_mask.sum())
    return total / tokens


if __name__ == "__main__":
    sys.exit(main())
