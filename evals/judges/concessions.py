"""Parameters that a server refuses by name, left out from then on.

OpenAI's newer models take no temperature and call ``max_tokens`` otherwise;
each server has gaps of its own. What is wrong is said in the error alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evals.judges.transport import Rejected

__all__ = ["Concessions"]

_REFUSABLE = ("top_logprobs", "logprobs", "seed", "temperature", "max_completion_tokens", "max_tokens")
_OLD, _NEW = "max_tokens", "max_completion_tokens"


class Concessions:
    """What one server was seen to refuse of OpenAI's parameters."""

    def __init__(self) -> None:
        self.refused: set[str] = set()
        self._renamed = False

    def made_for(self, error: Rejected, sent: Mapping[str, Any]) -> bool:
        """Whether ``error`` names a parameter of ``sent`` that can be renamed or left out, and it now is."""
        if error.status not in (400, 422):
            return False
        if _OLD in sent and _NEW in error.detail:
            self._renamed = True
            return True
        for name in _REFUSABLE:
            if name in error.detail and name not in self.refused:
                self.refused.add(name)
                return True
        return False

    def applied(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """``body`` as this server takes it."""
        named = {_NEW if name == _OLD and self._renamed else name: value for name, value in body.items()}
        left_out = self.refused | ({"top_logprobs"} if "logprobs" in self.refused else set())
        return {name: value for name, value in named.items() if name not in left_out}
