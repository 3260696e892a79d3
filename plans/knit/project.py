"""All that a project has in Knitfab: what carries its tag, and the Runs behind that."""

from __future__ import annotations

from plans.cleaning import Leftover
from plans.knit.command import Json, Knit

__all__ = ["Project"]


class Project:
    """The Plans, Runs and uploads of the project ``name``."""

    def __init__(self, knit: Knit, name: str) -> None:
        self._knit = knit
        self._tag = f"project:{name}"

    def active_plans(self) -> dict[str, str]:
        """Images of the active Plans with an input of the project, by id."""
        plans = self._knit.asked("plan", "find", "--active", "yes", "-i", self._tag)
        return {str(plan["planId"]): str(plan.get("image", plan.get("name"))) for plan in plans}

    def leftovers(self) -> list[Leftover]:
        """Every Run, or upload, that made Data of the project."""
        data = self._knit.asked("data", "find", "-t", self._tag)
        makers = {entry["upstream"]["run"]["runId"]: entry["upstream"]["run"] for entry in data}
        used_by: dict[str, set[str]] = {run_id: set() for run_id in makers}
        for entry in data:
            users = (downstream["run"] for downstream in entry["downstreams"])
            used_by[entry["upstream"]["run"]["runId"]] |= {
                user["runId"] for user in users if user["status"] != "invalidated"
            }
        return [
            Leftover(run_id, _what(run), run["status"], frozenset(used_by[run_id])) for run_id, run in makers.items()
        ]

    def deactivate(self, plan_id: str) -> None:
        """Let a Plan start no more Runs."""
        self._knit.text("plan", "active", "no", plan_id)

    def remove(self, run_id: str) -> None:
        """Delete a Run and the Data it made."""
        self._knit.text("run", "rm", run_id)


def _what(run: Json) -> str:
    plan = run["plan"]
    return "upload" if plan.get("name") == "knit#uploaded" else str(plan.get("image", plan.get("name")))
