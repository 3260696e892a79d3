"""The policy of a gate that is applied again, to a report that has one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from evals.commands.options import CommandOptions
from evals.settings import GatePolicy, Settings
from fixtures.contracts.settings import load_settings

__all__ = ["changed_policy", "in_environment"]


class _Changed(CommandOptions, GatePolicy):
    """The environment of the machine that applies the gate again has a say only where it is asked."""


def changed_policy(recorded: Mapping[str, Any], given: Mapping[str, Any]) -> GatePolicy:
    """The ``recorded`` policy of a report, with the keys of ``given`` in place of its own. Raises UserError."""
    keys = {**recorded, **given}
    if keys.get("baseline") is None and "margin" not in given:
        # Of no meaning without a baseline, and refused.
        keys.pop("margin", None)
    return load_settings(_Changed, keys, whole=Settings)[0]


def in_environment() -> dict[str, str]:
    """The keys of a policy that the environment sets, as it does for ``pytest evals``."""
    names = {name: f"EVALS_{name.upper()}" for name in GatePolicy.model_fields}
    return {name: os.environ[variable] for name, variable in names.items() if variable in os.environ}
