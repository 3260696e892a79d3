"""The platform that is a folder: same triggering, same rules, one Run after the other."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from fixtures.contracts.errors import UserError
from fixtures.contracts.files import sha256_folder
from plans.knitfab.conflicts import equivalent
from plans.knitfab.nomination import Data, due
from plans.knitfab.server import accept
from plans.knitfab.source import read_plan
from plans.knitfab.spec import PlanSpec, Tag
from plans.local.execution import Execute, Mounts
from plans.local.folder import Folder, StoredRun
from plans.platform import PlatformError, Run

__all__ = ["LocalPlatform"]


class LocalPlatform:
    """Plans, Data and Runs in ``root``, executed by ``execute``; ``say`` gets a line for each Run that starts."""

    def __init__(self, root: Path, execute: Execute, say: Callable[[str], object]) -> None:
        self._folder = Folder(root)
        self._execute = execute
        self._say = say

    def apply(self, text: str, spec: PlanSpec) -> str:
        """See `Platform.apply`."""
        specs = self._specs()
        for plan_id, known in specs.items():
            if equivalent(known, spec):
                return plan_id
        accept(read_plan(text).request, list(specs.values()))
        plan_id = f"plan-{len(specs) + 1:04}"
        self._folder.plans[plan_id] = text
        self._folder.save()
        return plan_id

    def push(self, folder: Path, tags: Sequence[Tag]) -> str:
        """See `Platform.push`."""
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder")
        texts, digest = sorted(map(str, tags)), sha256_folder(folder)
        for entry in self._folder.data.values():
            if entry.made_by is None and (entry.tags, entry.digest) == (texts, digest):
                return entry.id
        entry = self._folder.keep(folder, texts)
        self._folder.save()
        return entry.id

    def runs(self, plan_id: str) -> list[Run]:
        """See `Platform.runs`."""
        self._nominate()
        return [
            Run(run.id, run.status, run.inputs, run.outputs, run.exit_code, run.exit_message)
            for run in self._folder.runs.values()
            if run.plan == plan_id
        ]

    def wait(self) -> None:
        """Execute one waiting Run. Raises PlatformError if there is none: nothing would ever change."""
        self._nominate()
        waiting = next((run for run in self._folder.runs.values() if run.status == "waiting"), None)
        if waiting is None:
            raise PlatformError("no Run is left to execute: some input has no Data with its tags")
        self._work(waiting)

    def retry(self, run_id: str) -> None:
        """See `Platform.retry`. What the failed Run wrote is no longer said to be its output."""
        run = self._folder.runs[run_id]
        run.status, run.outputs, run.exit_code, run.exit_message = "waiting", {}, None, ""
        self._folder.save()

    def log(self, run_id: str) -> str:
        """See `Platform.log`."""
        path = self._folder.log(run_id)
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def pull(self, data_id: str, folder: Path) -> None:
        """See `Platform.pull`."""
        partial = folder.with_name(f".{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(self._folder.files(data_id), partial)
        shutil.rmtree(folder, ignore_errors=True)
        partial.replace(folder)

    def _specs(self) -> dict[str, PlanSpec]:
        return {plan_id: accept(read_plan(text).request, []) for plan_id, text in self._folder.plans.items()}

    def _nominate(self) -> None:
        """A waiting Run for each combination of Data that has none."""
        data = [
            Data(entry.id, frozenset(map(Tag.parse, entry.tags)), transient=None if entry.usable else "failed")
            for entry in self._folder.data.values()
        ]
        for plan_id, spec in self._specs().items():
            started = [run.inputs for run in self._folder.runs.values() if run.plan == plan_id]
            for inputs in list(due(spec, data, started)):
                run = StoredRun(f"run-{len(self._folder.runs) + 1:04}", plan_id, inputs)
                self._folder.runs[run.id] = run
        self._folder.save()

    def _work(self, run: StoredRun) -> None:
        folder, spec = self._folder, self._specs()[run.plan]
        work = folder.root / "work" / run.id
        shutil.rmtree(work, ignore_errors=True)
        mounts = Mounts(
            {path: folder.files(data).resolve() for path, data in run.inputs.items()},
            {mount.path: (work / f"output-{number}").resolve() for number, mount in enumerate(spec.outputs)},
            (work / "root").resolve(),
        )
        for path in (*mounts.outputs.values(), mounts.scratch):
            path.mkdir(parents=True)
        run.status = "running"
        folder.save()
        self._say(f"{run.id}: {' '.join([*spec.entrypoint, *spec.args])}")
        code = self._execute(spec, mounts, folder.log(run.id))
        written = [
            path
            for path, source in mounts.inputs.items()
            if sha256_folder(source) != folder.data[run.inputs[path]].digest
        ]
        run.exit_code, run.exit_message = code, f"wrote to its read-only input {written[0]}" if written else ""
        run.status = "failed" if code or written else "done"
        for mount in spec.outputs:
            tags = map(str, mount.tags)
            entry = folder.keep(mounts.outputs[mount.path], tags, made_by=run.id, usable=run.status == "done")
            run.outputs[mount.path] = entry.id
        shutil.rmtree(work, ignore_errors=True)
        folder.save()
