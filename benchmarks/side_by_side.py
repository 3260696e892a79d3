"""What the speed benchmarks share: real documents, a GPT-2 of modest size, and a fair clock.

Both sides advance in turns, a step each, so that whatever else the machine
does falls on both alike; CPU seconds of this process are counted, not time.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from transformers import GPT2ForSequenceClassification

from fixtures.contracts.errors import UserError
from fixtures.contracts.inference import autocast_dtype, encode
from fixtures.datasets import Document, load_dataset
from training.scratch import gpt2_tiny

WIDTH = 1024
"""The length to which the reference pads every document."""


class Clock:
    """Adds up the CPU seconds of what runs within ``with clock:``."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> None:
        self._start = time.process_time()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.process_time() - self._start


def parser(description: str, documents: int) -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--documents", type=int, default=documents, help="documents of 20 Newsgroups (%(default)s)")
    options.add_argument("--layers", type=int, default=4, help="layers of the GPT-2 (%(default)s)")
    options.add_argument("--hidden", type=int, default=256, help="its hidden size, a multiple of 64 (%(default)s)")
    options.add_argument("--threads", type=int, default=1, help="threads; one measures best (%(default)s)")
    options.add_argument("--seed", type=int, default=0, help="of documents and weights (%(default)s)")
    return options


def newsgroups(split: str) -> tuple[list[Document], list[int]]:
    """A split of 20 Newsgroups, headers kept, and its labels."""
    if shared := os.environ.get("NEWSJUDGE_SHARED_DATA"):
        os.environ.setdefault("SCIKIT_LEARN_DATA", str(Path(shared) / "sklearn"))
    try:
        dataset = load_dataset("20newsgroups", splits=(split,))  # type: ignore[arg-type]
    except UserError as error:
        sys.exit(f"error: {error}")
    documents = dataset.splits[split]  # type: ignore[index]
    return documents, [dataset.labels.index(document.label) for document in documents]


def representative(documents: Sequence[Document], count: int, seed: int) -> list[int]:
    """``count`` documents, in random order, that are as long as all of them: every n-th by length."""
    if count > len(documents):
        sys.exit(f"error: --documents: there are {len(documents)}")
    by_length = sorted(range(len(documents)), key=lambda i: len(documents[i].text))
    random = np.random.default_rng(seed)
    places = (np.arange(count) + random.random()) * len(documents) / count
    return random.permutation([by_length[int(place)] for place in places]).tolist()


def tokens(documents: Sequence[Document], chosen: Sequence[int]):
    """Token ids of the chosen documents, cut to ``WIDTH``; GPT-2's configuration and its pad token.

    The tokenizer is learned from all documents. With 16,384 tokens it makes
    them about as long as GPT-2's own does (median 346 and 368).
    """
    config, tokenizer = gpt2_tiny([document.text for document in documents], vocabulary=16384)
    rows = encode(tokenizer, [documents[i].text for i in chosen], template="{text}", max_length=WIDTH)
    return rows, config, tokenizer.pad_token_id


def gpt2(config, options: argparse.Namespace, pad: int) -> GPT2ForSequenceClassification:
    """The same random weights at every call. No dropout: both sides then follow the same path."""
    config.update(
        {"n_positions": WIDTH, "n_embd": options.hidden, "n_layer": options.layers, "n_head": options.hidden // 64}
        | {"num_labels": 20, "pad_token_id": pad, "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    )
    torch.manual_seed(options.seed)
    return GPT2ForSequenceClassification(config)


def bf16_here() -> torch.dtype | None:
    """bfloat16 where this CPU multiplies it, as the product decides; else None."""
    return autocast_dtype("auto", torch.device("cpu"))


def show(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(title=title, title_justify="left")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    Console(width=110).print(table)


def verdict(missed: Sequence[str]) -> int:
    for line in missed:
        print(f"MISSED: {line}")
    return 1 if missed else 0
