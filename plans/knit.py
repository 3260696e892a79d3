"""Knitfab, through its command line ``knit``.

The command is taken as it is (v1.6): it answers with one or several JSON values,
or with nothing and exit code 0; errors are JSON on standard error; a Plan that is
there already is refused without its id; deleted Runs stay in its lists. All of
that ends here.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tenacity import Retrying as Attempts
from tenacity import retry_if_exception_type, stop_after_delay, wait_exponential_jitter

from fixtures.contracts.errors import UserError
from fixtures.contracts.files import printable, sha256_folder
from plans.knitfab.conflicts import equivalent
from plans.knitfab.server import accept
from plans.knitfab.spec import PlanSpec, Tag
from plans.platform import PlatformError, Run

__all__ = ["KnitPlatform"]

UPLOADED = "/upload"
"""Where the Run that stands for an upload has its output."""

_Json = dict[str, Any]


class _Unanswered(PlatformError):
    """The command failed in a way that may pass: no connection, a server's error, no answer."""


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
        self._command = command
        self._say = say
        self._poll_seconds = poll_seconds
        self._give_up_seconds = give_up_seconds

    # -- what the platform does ------------------------------------------------

    def apply(self, text: str, spec: PlanSpec) -> str:
        """See `Platform.apply`. An equal Plan that is inactive is activated; its resources become those of ``spec``."""
        for attempt in self._attempts():
            with attempt:
                # Looked for first: a Plan that is there already is refused, and the refusal does not say its id.
                return self._found_plan(spec) or self._applied_plan(text)
        raise AssertionError("tenacity raises or returns")

    def push(self, folder: Path, tags: Sequence[Tag]) -> str:
        """See `Platform.push`. The digest of the files becomes a tag: by it they are found again."""
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder")
        wanted = [*map(str, tags), f"digest:{sha256_folder(folder)[:16]}"]
        for attempt in self._attempts():
            with attempt:
                # Looked for again at each attempt: an upload may have arrived although the answer did not.
                return self._found_data(wanted) or self._pushed_data(folder, wanted)
        raise AssertionError("tenacity raises or returns")

    def runs(self, plan_id: str) -> list[Run]:
        """See `Platform.runs`."""
        entries = self._asked("run", "find", "-p", plan_id)
        return [_run(entry) for entry in entries if entry["status"] != "invalidated"]

    def wait(self) -> None:
        """Let some time pass."""
        time.sleep(self._poll_seconds)

    def retry(self, run_id: str) -> None:
        """See `Platform.retry`."""
        for attempt in self._attempts():
            with attempt:
                self._knit("run", "retry", run_id)

    def log(self, run_id: str) -> str:
        """See `Platform.log`; empty if there is none any more."""
        try:
            return self._knit("run", "show", "--log", run_id)
        except PlatformError:
            return ""

    def pull(self, data_id: str, folder: Path) -> None:
        """See `Platform.pull`."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        for attempt in self._attempts():
            with attempt, TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
                self._knit("data", "pull", "-x", data_id, temporary)
                inside = Path(temporary) / data_id
                if not inside.is_dir():
                    raise _Unanswered(f"knit data pull {data_id} wrote nothing")
                shutil.rmtree(folder, ignore_errors=True)
                inside.replace(folder)

    # -- Plans and Data ---------------------------------------------------------

    def _found_plan(self, spec: PlanSpec) -> str | None:
        for entry in self._json("plan", "find", "--image", spec.image):
            registered = accept({**entry, "active": True}, [])
            if not equivalent(registered, spec):
                continue
            plan_id = str(entry["planId"])
            if not entry.get("active", True):
                self._knit("plan", "active", "yes", plan_id)
            changed = {key: value for key, value in spec.resources.items() if registered.resources.get(key) != value}
            for key, value in changed.items():
                self._say(f"plan {plan_id}: {key} becomes {value}")
                self._knit("plan", "resource", "--set", f"{key}={value}", plan_id)
            return plan_id
        return None

    def _applied_plan(self, text: str) -> str:
        with TemporaryDirectory() as temporary:
            path = Path(temporary) / "plan.yaml"
            path.write_text(text, encoding="utf-8")
            return str(self._json("plan", "apply", str(path))[0]["planId"])

    def _found_data(self, tags: Sequence[str]) -> str | None:
        entries = self._json("data", "find", *_options("-t", tags), "--transient", "no")
        uploads = (entry for entry in entries if entry["upstream"]["mountpoint"]["path"] == UPLOADED)
        return next((str(entry["knitId"]) for entry in uploads), None)

    def _pushed_data(self, folder: Path, tags: Sequence[str]) -> str:
        answers = self._json("data", "push", *_options("-t", tags), str(folder))
        if not answers:
            raise _Unanswered(f"knit data push {folder} gave no id")
        return str(answers[0]["knitId"])

    # -- the command --------------------------------------------------------------

    def _attempts(self) -> Attempts:
        return Attempts(
            retry=retry_if_exception_type(_Unanswered),
            wait=wait_exponential_jitter(initial=self._poll_seconds / 4, max=30),
            stop=stop_after_delay(self._give_up_seconds),
            reraise=True,
        )

    def _asked(self, *arguments: str) -> list[_Json]:
        for attempt in self._attempts():
            with attempt:
                return self._json(*arguments)
        raise AssertionError("tenacity raises or returns")

    def _json(self, *arguments: str) -> list[_Json]:
        """All objects that the command answers, be they one, a list, or several one after the other."""
        text, found, decoder = self._knit(*arguments).strip(), [], json.JSONDecoder()
        if not text:
            raise _Unanswered(f"knit {' '.join(arguments[:2])} answered nothing")
        while text:
            try:
                value, end = decoder.raw_decode(text)
            except ValueError as error:
                raise _Unanswered(f"knit {' '.join(arguments[:2])} gave no JSON: {printable(text[:200])}") from error
            found += value if isinstance(value, list) else [value]
            text = text[end:].strip()
        return found

    def _knit(self, *arguments: str) -> str:
        try:
            done = subprocess.run(
                [self._command, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
            )
        except OSError as error:
            raise UserError(
                f"cannot start {self._command}: {error.strerror or error}; --knit names the command"
            ) from error
        if done.returncode == 0:
            return done.stdout
        said = printable(" ".join((done.stderr or done.stdout).split()))[-600:]
        problem = f"knit {' '.join(arguments[:2])} failed: {said}"
        # 2 is a wrong use of the command; 4xx answers are final, too.
        final = done.returncode == 2 or any(word in said for word in FINAL)
        raise PlatformError(problem) if final else _Unanswered(problem)


FINAL = ("bad request", "not found", "invalid request", "fail to parse", "is protected", "not compatible")
"""Words in what ``knit`` says that mean: the same again would be refused again."""


def _options(flag: str, values: Sequence[str]) -> list[str]:
    return [part for value in values for part in (flag, value)]


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
