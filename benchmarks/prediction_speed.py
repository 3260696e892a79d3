"""Prediction against the reference's way, per CPU second.

The reference puts documents through the model one by one, padded to 1,024
tokens. Here, they are sorted by length and cut into batches of 4,096 tokens,
padding included, and the logits are put back into order.

Exits with 1 if the ratio is below 2.5 in float32 or, where the CPU multiplies
bfloat16, below 4 in it; or if float32 logits differ.
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from side_by_side import WIDTH, Clock, bf16_here, gpt2, newsgroups, parser, representative, show, tokens, verdict

from fixtures.contracts.inference import predict_logits
from training.trainer import Example, padded

BARS = {"float32": 2.5, "bfloat16": 4.0}
ROUND = 200
"""Documents that each side does in turn."""


def one_by_one(model: torch.nn.Module, rows: list[list[int]], pad: int) -> np.ndarray:
    logits = []
    for row in rows:
        inputs = padded([Example(row, 0)], pad, width=WIDTH)
        inputs.pop("labels")
        with torch.inference_mode():
            logits.append(model(**inputs).logits.numpy())
    return np.vstack(logits)


def main() -> int:
    options = parser(__doc__, documents=600).parse_args()
    torch.set_num_threads(options.threads)
    documents, _ = newsgroups("test")
    chosen = representative(documents, options.documents, options.seed)
    rows, config, pad = tokens(documents, chosen)
    model = gpt2(config, options, pad).eval()

    ways = {"reference: one by one, padded to 1,024": lambda part: one_by_one(model, part, pad)}
    ways["sorted, token budget, float32"] = lambda part: predict_logits(model, part, pad_token_id=pad)
    if bf16 := bf16_here():
        ways["sorted, token budget, bfloat16"] = lambda part: predict_logits(
            model, part, pad_token_id=pad, autocast=bf16
        )
    clocks = {name: Clock() for name in ways}
    logits: dict[str, list[np.ndarray]] = {name: [] for name in ways}
    for start in range(0, len(rows), ROUND):
        for name, predict in ways.items():
            with clocks[name]:
                logits[name].append(predict(rows[start : start + ROUND]))

    names = list(ways)
    together = {name: np.vstack(parts) for name, parts in logits.items()}
    ratios = {name: clocks[names[0]].seconds / clocks[name].seconds for name in names}
    differences = {name: float(np.abs(together[name] - together[names[0]]).max()) for name in names}
    show(
        f"GPT-2 {options.layers} x {options.hidden}, {len(rows)} documents of 20 Newsgroups "
        f"(median {int(np.median([len(row) for row in rows]))} tokens)",
        ["prediction", "CPU s", "documents / CPU s", "logits off by", "ratio"],
        [
            (name, f"{clocks[name].seconds:.1f}", f"{len(rows) / clocks[name].seconds:.1f}",
             f"{differences[name]:.1g}", f"{ratios[name]:.2f}")
            for name in names
        ],
    )  # fmt: skip
    missed = []
    for name in names[1:]:
        bar = BARS[name.rsplit(" ", 1)[1]]
        if ratios[name] < bar:
            missed.append(f"{name}: {ratios[name]:.2f} times the reference per CPU second; the bar is {bar}")
    if differences[names[1]] > 1e-3:
        missed.append(f"{names[1]}: logits differ by {differences[names[1]]:.2g} from the reference's")
    return verdict(missed)


if __name__ == "__main__":
    sys.exit(main())
