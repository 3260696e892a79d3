"""Of the processes that train together under torchrun, which is this, and how many are there?"""

from __future__ import annotations

import os

from fixtures.contracts.errors import UserError

__all__ = ["is_main_process", "process_count", "refuse_sharding"]

# What `accelerate launch` puts into the environment, and Trainer obeys.
_SHARDING = {
    "ACCELERATE_USE_FSDP": "FSDP",
    "ACCELERATE_USE_DEEPSPEED": "DeepSpeed",
    "ACCELERATE_USE_MEGATRON_LM": "Megatron-LM",
    "ACCELERATE_USE_PARALLELISM_CONFIG": "a parallelism config",
}


def refuse_sharding() -> None:
    """Raise UserError where `accelerate launch` would have the model shared out, or its processes not found.

    Measuring, merging and the comparison after saving need all weights in one
    process. And on a CPU Trainer would pass over it without a word.
    """
    for variable, what in _SHARDING.items():
        if os.environ.get(variable, "false").lower() == "true":
            raise UserError(
                f"accelerate launch asks for {what} ({variable}), which shares a model out among processes; here each "
                "process holds all of it: start with torchrun, or see docs/distributed.md"
            )
    alone = "WORLD_SIZE" not in os.environ
    if alone and os.environ.get("ACCELERATE_USE_CPU", "").lower() == "true" and "MASTER_ADDR" in os.environ:
        raise UserError(
            "accelerate launch --cpu was to start several processes and started one; start with torchrun "
            "--nproc_per_node N"
        )


def is_main_process() -> bool:
    """Whether this process, of those that train together, is the one that writes and speaks."""
    return os.environ.get("RANK", "0") == "0"


def process_count() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))
