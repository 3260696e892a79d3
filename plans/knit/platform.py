"""Knitfab as the platform of a pipeline."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fixtures.contracts.errors import UserError
from fixtures.contracts.files import sha256_folder
from plans.knit.command import Knit, Unanswered, options
from plans.knitfab.conflicts import equivalent
from plans.knitfab.server import accept
from plans.knitfab.spec import PlanSpec
from plans.knitfab.tags import Tag
from plans.platform import PlatformError, Run

__all__ = ["KnitPlatform"]

UPLOADED = "/upload"
"""Where the Run that stands for an upload has its output."""


class KnitPlatform:
    """Speaks through ``command``; asks again every ``poll_seconds``, and for ``give_up_seconds`` after a failure."""

    def __init__(
        self,
        command: str = "knit",
        *,
        poll_seconds: float = 10,
        give_up_seconds: float = 300,
        say: Callable[[str], object] = lambda line: None,
    ) -> None:
        self._knit = Knit(command, first_wait=poll_seconds / 4, give_up_seconds=give_up_seconds)
        self._say = say
        self._poll_seconds = poll_seconds

    # -- what the platform does ------------------------------------------------

    def apply(self, text: str, spec: PlanSpec) -> str:
        """See `Platform.apply`. An equal Plan that is inactive is activated; its resources become those of ``spec``."""
        # Looked for first: a Plan that is there already is refused, and the refusal does not say its id.
        return self._knit.attempts()(lambda: self._found_plan(spec) or self._applied_plan(text))

    def push(self, folder: Path, tags: Sequence[Tag]) -> str:
        """See `Platform.push`. The digest of the files becomes a tag: by it they are found again."""
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder")
        wanted = [*map(str, tags), f"digest:{sha256_folder(folder)[:16]}"]
        # Looked for at each attempt: an upload may have arrived although the answer did not.
        return self._knit.attempts()(lambda: self._found_data(wanted) or self._pushed_data(folder, wanted))

    def runs(self, plan_id: str) -> list[Run]:
        """See `Platform.runs`."""
        entries = self._knit.asked("run", "find", "-p", plan_id)
        return [_run(entry) for entry in entries if entry["status"] != "invalidated"]

    def wait(self) -> None:
        """Let some time pass."""
        time.sleep(self._poll_seconds)

    def retry(self, run_id: str) -> None:
        """See `Platform.retry`."""
        try:
            self._knit.attempts()(self._knit.text, "run", "retry", run_id)
        except PlatformError as error:
            # An attempt without an answer may have been heard all the same.
            if "possibly running" not in str(error):
                raise

    def log(self, run_id: str) -> str:
        """See `Platform.log`; empty if there is none any more."""
        try:
            return self._knit.text("run", "show", "--log", run_id)
        except PlatformError:
            return ""

    def pull(self, data_id: str, folder: Path) -> None:
        """See `Platform.pull`."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._knit.attempts()(self._pull, data_id, folder)

    def _pull(self, data_id: str, folder: Path) -> None:
        with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
            self._knit.text("data", "pull", "-x", data_id, temporary)
            inside = Path(temporary) / data_id
            if not inside.is_dir():
                raise Unanswered(f"knit data pull {data_id} wrote nothing")
            shutil.rmtree(folder, ignore_errors=True)
            inside.replace(folder)

    # -- Plans and Data ---------------------------------------------------------

    def _found_plan(self, spec: PlanSpec) -> str | None:
        for entry in self._knit.objects("plan", "find", "--image", spec.image):
            registered = accept({**entry, "active": True}, [])
            if not equivalent(registered, spec):
                continue
            plan_id = str(entry["planId"])
            if not entry.get("active", True):
                self._knit.text("plan", "active", "yes", plan_id)
            changed = {key: value for key, value in spec.resources.items() if registered.resources.get(key) != value}
            for key, value in changed.items():
                self._say(f"plan {plan_id}: {key} becomes {value}")
                self._knit.text("plan", "resource", "--set", f"{key}={value}", plan_id)
            return plan_id
        return None

    def _applied_plan(self, text: str) -> str:
        with TemporaryDirectory() as temporary:
            path = Path(temporary) / "plan.yaml"
            path.write_text(text, encoding="utf-8")
            return str(self._knit.objects("plan", "apply", str(path))[0]["planId"])

    def _found_data(self, tags: Sequence[str]) -> str | None:
        entries = self._knit.objects("data", "find", *options("-t", tags), "--transient", "no")
        uploads = (entry for entry in entries if entry["upstream"]["mountpoint"]["path"] == UPLOADED)
        return next((str(entry["knitId"]) for entry in uploads), None)

    def _pushed_data(self, folder: Path, tags: Sequence[str]) -> str:
        answers = self._knit.objects("data", "push", *options("-t", tags), str(folder))
        if not answers:
            raise Unanswered(f"knit data push {folder} gave no id")
        return str(answers[0]["knitId"])


def _run(entry: Mapping[str, Any]) -> Run:
    ended = entry.get("exit") or {}
    return Run(
        id=entry["runId"],
        status=entry["status"],
        inputs={mount["path"]: mount["knitId"] for mount in entry["inputs"]},
        outputs={mount["path"]: mount["knitId"] for mount in entry["outputs"]},
        exit_code=ended.get("code"),
        exit_message=ended.get("message", ""),
    )
