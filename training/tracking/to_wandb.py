"""Weights & Biases: offline unless there is a login or WANDB_MODE says otherwise."""

from __future__ import annotations

import netrc
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from training.tracking.delivery import Outcome, Result

__all__ = ["WeightsAndBiases"]

PROJECT = "newsjudge"

START_SECONDS = 30.0
"""How long the start may wait for a server, before any training."""

FINISH_SECONDS = 120.0
"""How long the end of a run may wait for a server: what is left can be sent with `wandb sync`."""


class WeightsAndBiases:
    """A run, in ``save_to/wandb``; the one called ``run_id`` if that is given."""

    name = "wandb"

    def __init__(self, save_to: Path, parameters: Mapping[str, Any], run_id: str | None) -> None:
        # What it stages and caches stays with the run; a home directory may not be writable.
        os.environ.setdefault("WANDB_DATA_DIR", str(save_to / "wandb"))
        os.environ.setdefault("WANDB_CACHE_DIR", str(save_to / "wandb"))
        # Before the settings below count, it tells where it found a login.
        os.environ.setdefault("WANDB_SILENT", "true")
        import wandb

        self._wandb = wandb
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            # The second is the name that the Azure SLM workshop uses.
            name=os.environ.get("WANDB_NAME") or os.environ.get("WANDB_RUN_NAME"),
            id=run_id or os.environ.get("WANDB_RUN_ID"),
            resume="allow",
            dir=save_to,
            mode=_mode(wandb),
            config=dict(parameters),
            settings=wandb.Settings(
                silent=True,
                console="off",
                # The address of a git remote, a command line and code may hold secrets.
                disable_git=True,
                disable_code=True,
                x_disable_meta=True,
                init_timeout=START_SECONDS,
                finish_timeout=FINISH_SECONDS,
            ),
        )
        self.run_id: str = self._run.id
        self.place = f"{self._run.settings.sync_dir} (offline)" if self._run.offline else str(self._run.url)

    def point(self, step: int, figures: Mapping[str, float], measured: float) -> None:
        """A row of the history at ``step``."""
        # It wants steps to rise, and a resumed run begins after the last one that the server has.
        if step >= self._run.step:
            self._run.log({**figures, "_timestamp": measured}, step=step)

    def result(self, result: Result) -> str:
        """The final figures as summary, the files as an artifact."""
        self._run.summary.update(dict(result.figures))
        artifact = self._wandb.Artifact(f"training-{self.run_id}", type="training")
        for name, content in result.files.items():
            if isinstance(content, Path):
                artifact.add_file(str(content), name=name)
            else:
                with artifact.new_file(name, encoding="utf-8") as file:
                    file.write(content)
        self._run.log_artifact(artifact)
        return ""

    def close(self, outcome: Outcome) -> None:
        """Wait until all is written, and sent if it is to be."""
        self._run.finish(exit_code=0 if outcome == "finished" else 1)


def _mode(wandb: Any) -> Any:
    """As the user has set it, by environment or `wandb offline`; online only with a login."""
    settings = wandb.setup().settings
    if "WANDB_MODE" in os.environ or settings.mode != "online":
        return settings.mode
    return "online" if _logged_in(settings.base_url) else "offline"


def _logged_in(url: str) -> bool:
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    try:
        return urlsplit(url).hostname in netrc.netrc(os.environ.get("NETRC")).hosts
    except (OSError, netrc.NetrcParseError):
        return False
