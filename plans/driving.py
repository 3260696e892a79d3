"""Train, evaluate, gate: the whole pipeline on a platform, from Plans to a verdict.

Everything that is there already is used again: equal Plans, equal Data, and Runs
of just these Data. The same command after an interruption therefore goes on where
the platform is, and asks for nothing twice.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from fixtures.contracts.errors import UserError
from fixtures.contracts.files import printable, write_json
from plans.knitfab.spec import Mount, PlanSpec
from plans.pipeline import Pipeline
from plans.platform import ENDED, Platform, PlatformError, Run
from plans.settings import PipelineSettings

__all__ = ["drive"]

GATE_CODES = frozenset({0, 3, 4, 5})
"""What the gate exits with when it has come to a verdict."""

HOPELESS = {"train": 2, "evaluate": 4, "gate": 2}
"""What our commands exit with for mistakes of the user: they would be made again."""

HINTS = {
    "missing": "Knitfab has made no Run of these Data; it makes none again if one was deleted: push changed Data",
    "waiting": "Knitfab has not scheduled it: its Plan may be inactive (knit plan show), or the cluster is full",
    "starting": "its image may be impossible to pull, or no node has the GPU or memory it asks for: "
    "kubectl -n knitfab get pods, then describe the pod worker-run-...",
    "running": "it may only be slow: knit run show --log -f",
}


def drive(pipeline: Pipeline, platform: Platform, settings: PipelineSettings, console: Console) -> Path:
    """Run the pipeline; returns the folder that holds ``verdict.json``.

    Raises PlatformError when a Run fails for good or time is up, UserError for
    mistakes in what is pushed.
    """
    return _Drive(pipeline, platform, settings, console).verdict()


class _Drive:
    def __init__(self, pipeline: Pipeline, platform: Platform, settings: PipelineSettings, console: Console) -> None:
        self._specs = {name: plan.spec for name, plan in pipeline.items()}
        self._platform, self._settings, self._console = platform, settings, console
        self._deadline = time.monotonic() + 60 * settings.timeout_minutes
        self._ids = {name: platform.apply(plan.text, plan.spec) for name, plan in pipeline.items()}
        for name, plan_id in self._ids.items():
            console.print(f"plan {name}: {plan_id}")

    def verdict(self) -> Path:
        """Train, evaluate and gate."""
        data = {"dataset": self._push(self._settings.dataset, "train", "dataset")}
        data["train-config"] = self._push_file("train.json", "train", "train-config")
        data["eval-config"] = self._push_file("evaluate.json", "evaluate", "eval-config")
        data["gate-policy"] = self._push_file("policy.json", "gate", "gate-policy")

        [trained] = self._finish("train", [data])
        data["model"] = self._output(trained, "train", "model")
        data["eval-report"] = self._evaluate(data)
        self._platform.pull(data["eval-report"], self._settings.out / "report")

        [judged] = self._finish("gate", [data], verdicts=GATE_CODES)
        folder = self._settings.out / "verdict"
        self._platform.pull(self._output(judged, "gate", "verdict"), folder)
        return folder

    def _evaluate(self, data: Mapping[str, str]) -> str:
        """The Data with the report, put together from those of the shards if there are several."""
        count = self._settings.shards
        if count == 1:
            [run] = self._finish("evaluate", [data])
            return self._output(run, "evaluate", "eval-report")
        shards = []
        for number in range(1, count + 1):
            with _folder() as folder:
                write_json(folder / "shard.json", {"shard": f"{number}/{count}"})
                shards.append(self._push(folder, "evaluate", "shard"))
        folders = []
        for number, run in enumerate(self._finish("evaluate", [{**data, "shard": shard} for shard in shards]), 1):
            folders.append(self._settings.out / "shards" / f"{number}-of-{count}")
            self._platform.pull(self._output(run, "evaluate", "eval-shard-report"), folders[-1])
        merged = self._settings.out / "merged"
        self._merge(folders, merged)
        return self._push(merged, "gate", "eval-report")

    def _merge(self, folders: Sequence[Path], merged: Path) -> None:
        command = [sys.executable, "-m", "evals", "merge", *map(str, folders), "--save-to", str(merged)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode not in GATE_CODES:
            raise PlatformError(f"the reports of the shards cannot be merged: {(done.stderr or done.stdout).strip()}")

    # -- Data ----------------------------------------------------------------

    def _push_file(self, name: str, plan: str, kind: str) -> str:
        path = self._settings.configs / name
        with _folder() as folder:
            try:
                (folder / name).write_bytes(path.read_bytes())
            except OSError as error:
                raise UserError(f"cannot read {path}: {error.strerror}; --configs names a folder with it") from error
            return self._push(folder, plan, kind)

    def _push(self, folder: Path, plan: str, kind: str) -> str:
        """Push a folder as what ``plan`` takes as its input of this ``kind``."""
        data_id = self._platform.push(folder, sorted(_mount(self._specs[plan].inputs, kind).tags))
        self._console.print(f"data {kind}: {data_id}")
        return data_id

    def _output(self, run: Run, plan: str, kind: str) -> str:
        return run.outputs[_mount(self._specs[plan].outputs, kind).path]

    # -- Runs ----------------------------------------------------------------

    def _finish(
        self, plan: str, combinations: Sequence[Mapping[str, str]], verdicts: frozenset[int] = frozenset({0})
    ) -> list[Run]:
        """The Runs of ``plan`` with the Data of each combination (ids by kind), when all have ended well.

        To exit with one of ``verdicts`` is to end well; anything else is tried
        again, unless it would fail again.
        """
        wanted = [_inputs(self._specs[plan], data) for data in combinations]
        tries: Counter[str] = Counter()
        watch = _Watch(plan, len(wanted), self._settings.patience_minutes, self._console)
        while True:
            every = self._platform.runs(self._ids[plan])
            runs = [_of(every, inputs) for inputs in wanted]
            watch.look(runs)
            for run in runs:
                if run is None or run.status != "failed" or (run.exit_code and run.exit_code in verdicts):
                    continue
                if run.exit_code == HOPELESS[plan] or tries[run.id] >= self._settings.retries:
                    raise PlatformError(self._failure(plan, run))
                tries[run.id] += 1
                self._console.print(f"{plan}: {run.id} failed ({_why(run)}); trying again")
                self._platform.retry(run.id)
                break
            else:
                ended = [run for run in runs if run is not None and run.status in ENDED]
                if len(ended) == len(wanted):
                    return ended
                if time.monotonic() > self._deadline:
                    raise PlatformError(
                        f"{plan}: {watch.state(runs)} after {self._settings.timeout_minutes:g} minutes; "
                        "the same command again goes on waiting"
                    )
                self._platform.wait()

    def _failure(self, plan: str, run: Run) -> str:
        lines = [f"  {printable(line)}" for line in self._platform.log(run.id).splitlines() if line.strip()][-15:]
        return "\n".join([f"{plan}: {run.id} failed ({_why(run)}); the end of its log:", *(lines or ["  (empty)"])])


class _Watch:
    """Says what became of the Runs of a Plan whenever that changes, and when nothing does for too long."""

    def __init__(self, plan: str, total: int, patience_minutes: float, console: Console) -> None:
        self._plan, self._total, self._console = plan, total, console
        self._patience = 60 * patience_minutes
        self._said = ""
        self._since = time.monotonic()

    def look(self, runs: Sequence[Run | None]) -> None:
        state, now = self.state(runs), time.monotonic()
        if state != self._said:
            self._console.print(f"{self._plan}: {state}")
            self._said, self._since = state, now
        elif now - self._since >= self._patience:
            self._since = now
            for run in runs:
                name, status = (run.id, run.status) if run is not None else ("a Run", "missing")
                if status in HINTS:
                    self._console.print(f"{self._plan}: {name} is still {status}; {HINTS[status]}")

    def state(self, runs: Sequence[Run | None]) -> str:
        """``1 of 2 done, 1 running``."""
        counts = Counter(run.status if run is not None else "missing" for run in runs)
        done = counts.pop("done", 0)
        return ", ".join([f"{done} of {self._total} done", *(f"{n} {status}" for status, n in sorted(counts.items()))])


@contextmanager
def _folder() -> Iterator[Path]:
    """A temporary folder that not only its owner may read: its mode goes where its files go."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def _mount(mounts: Sequence[Mount], kind: str) -> Mount:
    """The mount whose tag ``type`` is ``kind``."""
    return next(mount for mount in mounts if any(tag == ("type", kind) for tag in mount.tags))


def _inputs(spec: PlanSpec, data: Mapping[str, str]) -> dict[str, str]:
    """Ids of Data by mount path, from ids by kind."""
    return {mount.path: data[tag.value] for mount in spec.inputs for tag in mount.tags if tag.key == "type"}


def _of(runs: Sequence[Run], inputs: Mapping[str, str]) -> Run | None:
    """The Run of just these Data: a finished one if there is, else the latest."""
    same = [run for run in runs if run.inputs == inputs]
    return next((run for run in same if run.status == "done"), same[-1] if same else None)


def _why(run: Run) -> str:
    return ": ".join(filter(None, [f"exit code {run.exit_code}", printable(run.exit_message)]))
